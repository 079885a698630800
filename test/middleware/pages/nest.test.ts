import { describe, expect, it } from 'vitest';
import { nest } from '../../../src/middleware/pages/nest.ts';

const nested = (query: string, max = 1000) => nest(new URLSearchParams(query), max);

describe('nest', () => {
  it.each([
    ['a name', 'a=1', { a: '1' }],
    ['the last of a name', 'a=1&a=2', { a: '2' }],
    ['a list', 'a[]=1&a[]=2', { a: ['1', '2'] }],
    ['a list by numbers', 'a[0]=1&a[1]=2&a[0]=3', { a: ['3', '2'] }],
    ['a number that is written otherwise', 'a[0]=x&a[00]=y&a[]=z', { a: { 0: 'x', '00': 'y', 1: 'z' } }],
    ['keys', 'a[x]=1&a[y]=2', { a: { x: '1', y: '2' } }],
    ['a list that gets keys', 'a[]=1&a[k]=2', { a: { 0: '1', k: '2' } }],
    ['keys that go on as a list', 'a[5]=1&a[]=2&a[x]=3', { a: { 5: '1', 6: '2', x: '3' } }],
    ['several levels', 'a[b][c]=1&a[b][]=2', { a: { b: { c: '1', 0: '2' } } }],
    ['lists of keys', 'a[][x]=1&a[][x]=2', { a: [{ x: '1' }, { x: '2' }] }],
    ['text that becomes a list', 'a=1&a[b]=2', { a: { b: '2' } }],
    ['no further than the brackets', 'a[b]c=1', { a: { b: '1' } }],
    ['a bracket that is not closed as a part of the name', 'a[b=1', { 'a[b': '1' }],
    ['brackets without a name as a name', '[a]=1', { '[a]': '1' }],
    ['no value', 'a&b=', { a: '', b: '' }],
    ['no name', '=1', {}],
  ])('makes of %s what PHP does', (_name, query, expected) => {
    expect(nested(query)).toEqual(expected);
  });

  it('makes objects without a prototype, whatever they are called', () => {
    const all = nested('__proto__[polluted]=1&constructor[prototype][polluted]=1&a[__proto__][polluted]=1');
    expect(Object.getPrototypeOf(all)).toBe(null);
    expect(Object.getPrototypeOf(all.a)).toBe(null);
    expect(Object.keys(all)).toEqual(['__proto__', 'constructor', 'a']);
    expect({}).not.toHaveProperty('polluted');
  });

  it('refuses more variables than it is told', () => {
    expect(nested('a&b', 2)).toEqual({ a: '', b: '' });
    expect(() => nested('a&b&c', 2)).toThrow(expect.objectContaining({ code: 'FCGI_ERR_BODY_SYNTAX', status: 400 }));
  });

  it('refuses to nest deeper than 64', () => {
    expect(() => nested(`a${'[b]'.repeat(63)}=1`)).not.toThrow();
    expect(() => nested(`a${'[b]'.repeat(64)}=1`)).toThrow(expect.objectContaining({ code: 'FCGI_ERR_BODY_SYNTAX' }));
  });
});
