import { form, part, TYPE } from '../middleware/multipart/forms.ts';
import type { Ask } from './client.ts';

/** What is asked beside the path. */
export type Request = Omit<Ask, 'path'>;

type Row = [name: string, path: string, request?: Request];

const FORM = 'application/x-www-form-urlencoded';

export const send = (method: string, body: string | Buffer = '', type = FORM): Request => ({
  method,
  headers: [['Content-Type', type]],
  body: Buffer.from(body),
});
const post = (fields: Record<string, string>) => send('POST', `${new URLSearchParams(fields)}`);
const json = (method: string, value: unknown) => send(method, JSON.stringify(value), 'application/json');
export const cookie = (value: string): Request => ({ headers: [['Cookie', value]] });
const ifNoneMatch = (tag: string): Request => ({ headers: [['If-None-Match', tag]] });

type Part = [name: string, content: string | Buffer, filename?: string, type?: string];

export const parts = (all: Part[]): Request =>
  send('POST', form(...all.map(([name, content, filename, type]) => part(name, content, { filename, type }))), TYPE);

const HEAD = { method: 'HEAD' };

const PNG = Buffer.from('\x89PNG\r\n\x1a\n\0\xff', 'latin1');
const JPEG = Buffer.concat([Buffer.from([0xff, 0xd8, 0xff]), Buffer.alloc(150_000, 7)]);
const GOOD = { name: 'Ann', email: 'ann@example.org', topic: 'order', message: 'One of each,\r\nplease & thanks.' };

/** By script, in the order in which they are sent. */
export const ROWS: Record<string, Row[]> = {
  'a form mailer': [
    ['the form', '/mailer'],
    ['the form, its head', '/mailer', HEAD],
    ['the thanks', '/mailer?sent=Ann%20%3Cb%3E%20%22%27%26'],
    ['a message', '/mailer', post(GOOD)],
    [
      'a message with a copy, from a name with quotes',
      '/mailer',
      post({ ...GOOD, name: 'Bob "B" \\ O\'Brien', copy: '1' }),
    ],
    ['a name in UTF-8, with blanks around it', '/mailer', post({ ...GOOD, name: '  Zoë + 山田~ (!) ' })],
    ['what a robot fills in', '/mailer', post({ ...GOOD, website: 'http://spam.test' })],
    ['nothing', '/mailer', post({})],
    ['bad fields, shown again', '/mailer', post({ name: '<b>', email: '"><script>', topic: '<>', message: "a'b\n c" })],
    ['lines of headers in a name', '/mailer', post({ ...GOOD, name: 'Ann\r\nBcc: all@example.org' })],
    ['fields that are lists', '/mailer', send('POST', 'name[]=a&email[x]=b&topic[]=order&message[][]=c')],
    ['a body of another type', '/mailer', send('POST', 'name=Ann', 'text/plain')],
    ['another method', '/mailer', send('PUT', 'name=Ann')],
  ],
  'a counter': [
    ['the first visit', '/counter'],
    ['the second', '/counter'],
    ['of who was there', '/counter', cookie('visited_home=1; other=2')],
    ['of another page, as text', '/counter?page=shop&as=text'],
    ['as a script', '/counter?page=shop&as=js'],
    ['counted without being shown', '/counter', HEAD],
    ['a bad name', '/counter?page=../etc/passwd'],
    ['a name that ends with a line', '/counter?page=home%0A'],
    ['a name that is a list', '/counter?page[]=home'],
    ['all', '/counter?as=none'],
  ],
  'a download': [
    ['text', '/download?file=report.csv'],
    ['shown', '/download?file=report.csv&show'],
    ['its head', '/download?file=report.csv', HEAD],
    ['bytes of every value', '/download?file=bytes.bin'],
    ['more than is held back', '/download?file=large.PDF'],
    ['an empty file', '/download?file=empty.txt'],
    ['a name in UTF-8, with quotes', '/download?file=%C3%9Cber%20%22uns%22%20%E5%B1%B1.txt'],
    ['what the browser has', '/download?file=report.csv', ifNoneMatch('"65920080-9"')],
    ['what the browser has not', '/download?file=report.csv', ifNoneMatch('"other"')],
    ['no file', '/download'],
    ['a missing file', '/download?file=%3Cb%3E.txt'],
    ['a file elsewhere', '/download?file=../../site/mailer.php'],
    ['a hidden file', '/download?file=.htaccess'],
    ['a folder', '/download?file=folder'],
    ['a list', '/download?file[]=report.csv'],
    ['another method', '/download?file=report.csv', send('POST')],
  ],
  'a table': [
    ['the first page', '/table'],
    ['its head', '/table', HEAD],
    ['the second page', '/table?page=2'],
    ['the last page', '/table?page=6'],
    ['beyond the last', '/table?page=99'],
    ['before the first', '/table?page=-1'],
    ['no number', '/table?page=two'],
    ['a number and more', '/table?page=3rd'],
    ['sorted', '/table?sort=balance&dir=desc'],
    ['sorted by text', '/table?sort=name&page=2'],
    ['sorted by nothing there', '/table?sort=__proto__&dir=up'],
    ['sorted by a list', '/table?sort[]=name'],
    ['found', '/table?q=bobby&sort=city&dir=asc'],
    ['found with quotes and tags', '/table?q=%3CSCRIPT%3Ealert'],
    ['found by a quote', '/table?q=%22bobby%22&page=2'],
    ['nobody found', '/table?q=%22%27%26%3Cx%3E'],
    ['found in UTF-8', '/table?q=%E6%9D%B1%E4%BA%AC+'],
    ['found by a list', '/table?q[]=bobby'],
  ],
  'a redirect': [
    ['to another site', '/redirect?to=docs'],
    ['its head', '/redirect?to=docs', HEAD],
    ['to a query', '/redirect?to=shop'],
    ['by a name in UTF-8', '/redirect?to=gr%C3%BC%C3%9Fe'],
    ['after a while', '/redirect?to=shop&preview=1'],
    ['for good', '/redirect?old=/news.asp'],
    ['for good, to what is beside it', '/redirect?old=/contact.html'],
    ['to nothing any more', '/redirect?old=/none.asp'],
    ['of a list', '/redirect?old[]=/news.asp'],
    ['to nothing known', '/redirect?to=%3Ca%20href%3D%22x%22%3E'],
    ['to nothing', '/redirect'],
  ],
  'a cookie': [
    ['without any', '/cookie'],
    ['its head', '/cookie?a=1', HEAD],
    [
      'with some',
      '/cookie',
      cookie('theme=dark; last=%2Fx%3Fa%3Db%20%26%20%22c%22%3B+d; likes[tea]=green; likes[%3C]=x'),
    ],
    ['with tags in it', '/cookie', cookie('theme="><script>; likes[a]=<b>')],
    ['set', '/cookie', post({ theme: 'dark', 'likes[tea]': 'green; strong, "hot"', 'likes[cake]': 'käse + 100%' })],
    [
      'set to what is not offered',
      '/cookie',
      post({ theme: 'pink', 'likes[]': 'first', 'likes[a b]': 'x', 'likes[c][d]': 'y' }),
    ],
    ['set until the browser is closed', '/cookie', post({ action: 'remind' })],
    [
      'taken away',
      '/cookie?from=1',
      {
        ...post({ action: 'forget' }),
        headers: [
          ['Content-Type', FORM],
          ['Cookie', 'likes[tea]=green; likes[cake]=x; theme=dark'],
        ],
      },
    ],
    ['none of that', '/cookie', post({ action: 'eat' })],
  ],
  'a JSON endpoint': [
    ['no notes', '/api'],
    ['a note', '/api', json('POST', { text: 'Grüße / "a" <b>', tags: ['x', 1, null, 'y'] })],
    ['another', '/api', json('POST', { text: '\u2713 \\ \t', tags: 'one', other: true })],
    ['its type with a charset', '/api', send('POST', '{"text":"third"}', 'Application/JSON; charset=utf-8')],
    ['all', '/api'],
    ['one', '/api?id=2'],
    ['its head', '/api?id=2', HEAD],
    ['changed', '/api?id=2', json('PUT', { text: 'changed', tags: [] })],
    ['deleted', '/api?id=1', { method: 'DELETE' }],
    ['the rest', '/api'],
    ['none of that number', '/api?id=1'],
    ['none of that name', '/api?id=%22%3Cb%3E/'],
    ['a note of another type', '/api', send('POST', 'text=a')],
    ['no JSON', '/api', send('POST', '{"text":', 'application/json')],
    ['no object', '/api', json('POST', 'text')],
    ['nothing', '/api', send('POST', '', 'application/json')],
    ['no text', '/api', json('POST', { text: ' \n' })],
    ['a change of none', '/api', json('PUT', { text: 'a' })],
    ['another method', '/api', send('PATCH', '{}', 'application/json')],
    ['what is allowed', '/api', { method: 'OPTIONS' }],
  ],
  'an upload': [
    ['none yet', '/upload'],
    ['a cover', '/upload', parts([['cover', PNG, 'cover.png', 'image/png']])],
    ['the same again', '/upload', parts([['cover', PNG, 'again.png', 'image/png']])],
    [
      'several pictures with their titles',
      '/upload',
      parts([
        ['titles[]', 'First & "best"'],
        ['pics[]', 'GIF89a', 'a b.gif', 'image/gif'],
        ['titles[]', '<second>'],
        ['pics[]', JPEG, 'größe.jpg', 'image/jpeg'],
        ['pics[]', 'no picture', 'x&y.txt', 'image/x&y'],
      ]),
    ],
    [
      'pictures with keys',
      '/upload',
      parts([
        ['pics[a]', 'GIF87a', 'a'],
        ['pics[<b>]', 'GIF87b', 'b'],
        ['titles[a]', 'A'],
      ]),
    ],
    ['too large a picture', '/upload', parts([['cover', Buffer.concat([JPEG, JPEG]), 'large.jpg', 'image/jpeg']])],
    ['an empty file', '/upload', parts([['cover', '', 'empty.png', 'image/png']])],
    ['a path in a name', '/upload', parts([['cover', 'text', '../../etc/passwd', 'text/plain']])],
    ['a path of Windows in a name', '/upload', parts([['cover', 'text', 'C:\\temp\\a.txt', 'text/plain']])],
    [
      'a file input in which nothing was chosen',
      '/upload',
      parts([
        ['cover', '', ''],
        ['from', 'Ann'],
      ]),
    ],
    ['no file', '/upload', parts([['from', 'Ann <b>']])],
    ['a form without parts', '/upload', post({ from: 'Bob', 'cover[tmp_name]': '/etc/passwd' })],
    ['a path that is no file of the form', '/upload', post({ from: 'Eve', move: '/etc/passwd' })],
    ['all of them', '/upload'],
  ],
  'a chain of includes': [
    ['the first page', '/layout'],
    ['its head', '/layout', HEAD],
    ['another', '/layout?page=about'],
    ['one that ends early', '/layout?page=quit'],
    ['one that is not there', '/layout?page=%3Cnone%3E'],
    ['one elsewhere', '/layout?page=../../mailer'],
    ['a list', '/layout?page[]=home'],
  ],
  'output buffering': [
    ['whole', '/buffer'],
    ['its head', '/buffer', HEAD],
    ['as text', '/buffer?format=text'],
    ['cancelled', '/buffer?cancel'],
    ['what the browser has not', '/buffer', ifNoneMatch('"other"')],
  ],
  'an article by PATH_INFO': [
    ['all years', '/article'],
    ['all years, with a slash', '/article/'],
    ['a year', '/article/2023'],
    ['an article', '/article/2024/a-b?from=here'],
    ['its head', '/article/2024/a-b', HEAD],
    ['a name in UTF-8', '/article/2023/gr%C3%BC%C3%9Fe'],
    ['a slash too many', '/article/2023/gr%C3%BC%C3%9Fe/'],
    ['another year', '/article/1999'],
    ['no year', '/article/%3Cscript%3E/x'],
    ['no article', '/article/2024/first'],
    ['an article by an inherited name', '/article/2024/constructor'],
    ['slashes that are encoded', '/article/2024%2Fa-b'],
    ['more', '/article/2024/a-b/c/d'],
    ['a plus and a percent', '/article/20+24/100%25'],
    ['another method', '/article/2024/a-b', send('POST', 'a=1')],
  ],
  'an error that is caught': [
    ['none', '/error?lines[]=1&lines[]=2.5'],
    ['told to the client', '/error?lines[]=1&lines[]=%3Cb%3E&careful'],
    ['of the moment', '/error?busy'],
  ],
};
