import { describe, expect, it } from 'vitest';
import { applySetting, createSettings, settingsOf, weakETag } from '../../src/core/settings.ts';

describe('createSettings', () => {
  it('has the defaults of Express 5', () => {
    expect(createSettings()).toMatchObject({
      env: process.env.NODE_ENV || 'development',
      etag: 'weak',
      'query parser': 'simple',
      'subdomain offset': 2,
      'trust proxy': false,
    });
  });

  it('makes settings of their own for each', () => {
    applySetting(createSettings(), 'etag', false);
    expect(createSettings().etag).toBe('weak');
  });
});

describe('applySetting', () => {
  it.each([
    ['etag', 'weak', 'etag fn', 'function'],
    ['etag', false, 'etag fn', 'undefined'],
    ['query parser', true, 'query parser fn', 'function'],
    ['query parser', false, 'query parser fn', 'undefined'],
    ['trust proxy', 'loopback', 'trust proxy fn', 'function'],
    ['trust proxy', false, 'trust proxy fn', 'function'],
    ['title', 'mine', 'title', 'string'],
  ])('%s %j makes %s a %s', (name, value, compiled, type) => {
    const settings = createSettings();
    applySetting(settings, name, value);
    expect(settings[name]).toBe(value);
    expect(typeof settings[compiled]).toBe(type);
  });

  it.each([
    ['etag', 'medium'],
    ['etag', 7],
    ['query parser', 'extended'],
    ['query parser', {}],
    ['trust proxy', 'not an address'],
    ['trust proxy', {}],
  ])('refuses %s %j with FCGI_ERR_OPTION, and keeps what was set', (name, value) => {
    const settings = createSettings();
    const before = { ...settings };
    expect(() => applySetting(settings, name, value)).toThrow(expect.objectContaining({ code: 'FCGI_ERR_OPTION' }));
    expect(settings).toEqual(before);
  });
});

describe('settingsOf', () => {
  it('is the application\u2019s, or the defaults without one', () => {
    const settings = createSettings();
    expect(settingsOf({ app: { settings } })).toBe(settings);
    expect(settingsOf({})).toEqual(createSettings());
  });
});

describe('the weak entity tag', () => {
  it('differs wherever bodies do: 200,000 short ones, and a long one with one character changed', () => {
    const tags = new Set(Array.from({ length: 200_000 }, (_, i) => weakETag(`<p>${i}</p>`)));
    expect(tags.size).toBe(200_000);
    const long = 'x'.repeat(10_000);
    const changed = Array.from(long, (_, i) => weakETag(`${long.slice(0, i)}y${long.slice(i + 1)}`));
    expect(new Set([...changed, weakETag(long)]).size).toBe(10_001);
  });

  it('is made of characters that an entity tag may have (RFC 9110, section 8.8.3), and of the length', () => {
    for (let i = 0; i < 1000; i++)
      expect(weakETag(Buffer.alloc(i, i))).toMatch(new RegExp(`^W/"${i.toString(16)}-[\\w-]{12}"$`));
  });
});
