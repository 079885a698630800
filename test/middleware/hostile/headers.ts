import type { Application } from '../../../src/core/app.ts';
import type { Response } from '../../../src/core/response.ts';
import type { HostileRow, HostileSubject } from './subject.ts';

const CRLF = '\r\nX-Injected: yes';

/** What an application that is careless does with what a client sends. */
const CARELESS: Record<string, (res: Response, value: string) => unknown> = {
  set: (res, value) => res.set('X-Value', value).end(),
  name: (res, value) => res.set(value, 'x').end(),
  list: (res, value) => res.set('X-Value', ['a', value]).end(),
  append: (res, value) => res.append('X-Value', value).end(),
  type: (res, value) => res.type(value).end(),
  vary: (res, value) => res.vary(value).end(),
  links: (res, value) => res.links({ next: value }).end(),
  writeHead: (res, value) => res.writeHead(200, { 'X-Value': value }).end(),
  message: (res, value) => res.writeHead(200, value).end(),
  location: (res, value) => res.location(value).end(),
  redirect: (res, value) => res.redirect(value),
  cookie: (res, value) => res.cookie('a', value).end(),
  rawCookie: (res, value) => res.cookie('a', value, { encode: String }).end(),
  cookieName: (res, value) => res.cookie(value, 'x').end(),
  cookiePath: (res, value) => res.cookie('a', 'x', { path: value }).end(),
  cookieDomain: (res, value) => res.cookie('a', 'x', { domain: value }).end(),
  clearCookie: (res, value) => res.clearCookie(value).end(),
};

export const headers: HostileSubject = {
  title: 'Headers of the answer',
  about:
    '`/set?` and the others give what follows the `?` to the method of `res` of that name; `/name?` sets a header so named, and `/cookie?` and its like are the parts of a cookie.',
  mount(app: Application) {
    app.get('/:method', (req, res) => CARELESS[req.params.method]!(res, decodeURIComponent(req.url!.split('?')[1]!)));
  },
  rows: [
    row('a header is set to two lines', 'set', CRLF, '500 ERR_INVALID_CHAR'),
    row('a header has a line break alone', 'set', '\nX-Injected: yes', '500 ERR_INVALID_CHAR'),
    row('a header has a carriage return alone', 'set', '\rX-Injected: yes', '500 ERR_INVALID_CHAR'),
    row('characters whose low byte is a line break', 'set', '\u560d\u560aX-Injected: yes', '500 ERR_INVALID_CHAR'),
    row('a header has a NUL', 'set', '\0', '500 ERR_INVALID_CHAR'),
    row('a header has a name of two lines', 'name', `X${CRLF}`, '500 ERR_INVALID_HTTP_TOKEN'),
    row('one of several values has two lines', 'list', CRLF, '500 ERR_INVALID_CHAR'),
    row('two lines are added to a header', 'append', CRLF, '500 ERR_INVALID_CHAR'),
    row('a type has two lines', 'type', `text/html${CRLF}`, '500 ERR_INVALID_CHAR'),
    row('a name for Vary has two lines', 'vary', `Accept${CRLF}`, '500 TypeError'),
    row('a link has two lines', 'links', CRLF, '500 ERR_INVALID_CHAR'),
    row('a head that is written at once has two lines', 'writeHead', CRLF, '500 ERR_INVALID_CHAR'),
    row('the message of the status has two lines', 'message', `OK${CRLF}`, '500'),
    row('Location has two lines', 'location', `/${CRLF}`, '200 Location: /%0D%0AX-Injected:%20yes'),
    row('a redirect leads to two lines', 'redirect', `/${CRLF}`, '302 Location: /%0D%0AX-Injected:%20yes'),
    row(
      'a redirect leads to characters whose low byte is a line break',
      'redirect',
      '/\u560d\u560a',
      '302 Location: /%E5%98%8D%E5%98%8A',
    ),
    row('a redirect leads to HTML', 'redirect', '/"><script>', '302 Location: /%22%3E%3Cscript%3E'),
    row('the value of a cookie has two lines', 'cookie', CRLF, '200 Set-Cookie: a=%0D%0AX-Injected%3A%20yes; Path=/'),
    row(
      'the value of a cookie has attributes',
      'cookie',
      'x; Domain=a.org',
      '200 Set-Cookie: a=x%3B%20Domain%3Da.org; Path=/',
    ),
    row('two lines in a cookie that is not to be encoded', 'rawCookie', CRLF, '500 FCGI_ERR_ARGUMENT'),
    row('attributes in a cookie that is not to be encoded', 'rawCookie', 'x; Domain=a.org', '500 FCGI_ERR_ARGUMENT'),
    row('the name of a cookie has two lines', 'cookieName', `a${CRLF}`, '500 FCGI_ERR_ARGUMENT'),
    row('the name of a cookie is a whole cookie', 'cookieName', 'a=b; x', '500 FCGI_ERR_ARGUMENT'),
    row('a name with a prefix that promises what is not so', 'cookieName', '__Host-a', '500 FCGI_ERR_ARGUMENT'),
    row('the path of a cookie has attributes', 'cookiePath', '/; Domain=a.org', '500 FCGI_ERR_ARGUMENT'),
    row('the path of a cookie has two lines', 'cookiePath', `/${CRLF}`, '500 FCGI_ERR_ARGUMENT'),
    row('the domain of a cookie has attributes', 'cookieDomain', 'a.org; Secure', '500 FCGI_ERR_ARGUMENT'),
    row('the name of a cookie to be cleared has two lines', 'clearCookie', `a${CRLF}`, '500 FCGI_ERR_ARGUMENT'),
    row('a cookie of more than 4096 bytes', 'cookie', 'x'.repeat(4096), '500 FCGI_ERR_ARGUMENT'),
  ],
};

function row(attack: string, method: string, value: string, answer: string): HostileRow {
  return { attack, request: { path: `/${method}?${encodeURIComponent(value)}` }, answer };
}
