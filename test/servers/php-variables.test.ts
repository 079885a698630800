import { afterAll, beforeAll, expect, it } from 'vitest';
import { cookie, parts, type Request, send } from './php-requests.ts';
import { Twins } from './php-twins.ts';
import { describeWith } from './program.ts';

/** In a query, and in a form of either kind. */
const FIELDS = [
  'a=1',
  'a=1&b=2&a=3',
  'a&b=&=c&&d=1=2',
  'a=%20+%2B%26&b%26=%3D&c=%zz%4&d=%C3%A9',
  'a[]=1&a[]=2',
  'a[]=1&a[k]=2',
  'a[k]=1&a[]=2&a[]=3',
  'a[5]=x&a[]=y&a[2]=z&a[]=w',
  'a[0]=x&a[1]=y&a[0]=z',
  'a[1]=x&a[0]=y',
  'a[0]=x&a[2]=y',
  'a[01]=x&a[]=y&a[1.5]=z&a[%201]=v',
  'a[b][c][]=1&a[b][c][]=2&a[b][d]=3&a[e]=4',
  'a[][x]=1&a[][y]=2&a[][x]=3',
  'a[][]=1&a[][]=2',
  'a=1&a[b]=2',
  'a=1&a[]=2',
  'a[b]=1&a=2',
  'a[]=1&a[][b]=2&a[0][c]=3',
  'a[b]c=1&a[b]c[d]=2&a[e]]=3&a[f][=4',
  'a[]b[]=1',
  'a[[b]=1&a[[b]]=2',
  'a%5Bb%5D=1&a%5B%5D=2',
  'a[b%5Dc]=1',
  '__proto__[a]=1&constructor[prototype][a]=1&a[__proto__]=1&toString=1',
  'a[length]=1&a[0]=2',
  '0=a&1=b&01=c',
  "a='%22%3C&%E5%B1%B1[]=%F0%9F%92%A9",
  'a;b=1;c=2',
  '%61=1&A=2',
];

/** With what PHP makes of it, and what pages do. */
const OTHER_FIELDS: [fields: string, why: string, php: unknown, pages: unknown][] = [
  ['a.b=1&c+d=2', 'a name keeps its dots and blanks', { a_b: '1', c_d: '2' }, { 'a.b': '1', 'c d': '2' }],
  ['+a=1', 'a name keeps its blanks in front', { a: '1' }, { ' a': '1' }],
  ['a[b=1', 'a name keeps a bracket that is not closed', { a_b: '1' }, { 'a[b': '1' }],
  ['[a]=1', 'brackets with nothing before them are a name', {}, { '[a]': '1' }],
  ['a[%20]=1&a[+]=2', 'a blank in brackets is a name', { a: ['1', '2'] }, { a: { ' ': '2' } }],
  ['a%00b=1', 'a name goes on behind a NUL', { a: '1' }, { 'a\0b': '1' }],
];

const COOKIES = [
  'a=1; b=2',
  'a=1; a=2',
  'a=1;b=2;  c=3;d=4',
  'a=%20+%22; b="quoted"; c=x=y',
  'a[x]=1; a[y]=2; l[]=1',
  'a[x][y]=1; a[x][z]=2',
  'a=;b=',
  '%61=1; a%5B%5D=2',
  'a=%zz; b=%C3%A9',
  '__proto__=1; constructor=2; a[__proto__]=3',
  '__Host-a=1; __Secure-b=2',
];

const OTHER_COOKIES: [cookies: string, why: string, php: unknown, pages: unknown][] = [
  ['a= 1; b=2 ;c=3', 'blanks around a value are none of it', { a: ' 1', b: '2 ', c: '3' }, { a: '1', b: '2', c: '3' }],
  ['a.b=1; c d=2', 'a name keeps its dots and blanks', { a_b: '1', c_d: '2' }, { 'a.b': '1', 'c d': '2' }],
  ['a[]=1; a[]=2', 'the first of a name counts, also of one with brackets', { a: ['1', '2'] }, { a: ['1'] }],
  ['a; b=1', 'what has no value is none', { a: '', b: '1' }, { b: '1' }],
  ['a=%zz%41; b=%E9', 'what is encoded wrongly stays as it is', { a: '%zzA', b: '\ufffd' }, { a: '%zz%41', b: '%E9' }],
];

describeWith(['nginx', 'php-fpm'], '$_GET, $_POST, $_COOKIE and $_REQUEST', () => {
  let twins: Twins;
  beforeAll(async () => {
    twins = await Twins.start();
  });
  afterAll(async () => {
    await twins?.stop();
  });

  const variables = async (ask: Request, query = '') => {
    const { php, jhtml } = await twins.both(`/vars${query && `?${query}`}`, ask);
    const [ofPhp, ofPages] = [php, jhtml].map(({ body }) => JSON.parse(Buffer.from(body, 'latin1').toString()));
    return { php: ofPhp, jhtml: ofPages };
  };

  it.each(FIELDS)('of %j are as in PHP', async (fields) => {
    for (const answer of [
      await variables({}, fields),
      await variables(send('POST', fields), 'a=from+the+query&q[]=1'),
      await variables(parts([...new URLSearchParams(fields)])),
    ]) {
      expect(answer.jhtml).toEqual(answer.php);
    }
  });

  it.each(COOKIES)('of the cookies %j are as in PHP', async (cookies) => {
    const { php, jhtml } = await variables(cookie(cookies), 'a=1');
    expect(jhtml).toEqual(php);
  });

  it.each(OTHER_FIELDS)('of %j are on purpose not as in PHP: %s', async (fields, _why, ofPhp, ofPages) => {
    const { php, jhtml } = await variables({}, fields);
    expect([php.get, jhtml.get]).toEqual([ofPhp, ofPages]);
  });

  it('of a form that is put are on purpose not as in PHP: $_POST has it', async () => {
    const { php, jhtml } = await variables(send('PUT', 'a[]=1'));
    expect([php.post, jhtml.post]).toEqual([{}, { a: ['1'] }]);
  });

  it.each(OTHER_COOKIES)(
    'of the cookies %j are on purpose not as in PHP: %s',
    async (cookies, _why, ofPhp, ofPages) => {
      const { php, jhtml } = await variables(cookie(cookies));
      expect([php.cookie, jhtml.cookie]).toEqual([ofPhp, ofPages]);
    },
  );
});
