/** HOT: as PHP's htmlspecialchars: text that is safe in HTML, between tags and in quoted attributes. */
export function htmlspecialchars(value: unknown): string {
  const text = typeof value === 'string' ? value : String(value);
  let escaped = '';
  let from = 0;
  for (let at = 0; at < text.length; at++) {
    const entity = entityOf(text.charCodeAt(at));
    if (entity === undefined) continue;
    escaped += text.slice(from, at) + entity;
    from = at + 1;
  }
  return from === 0 ? text : escaped + text.slice(from);
}

export function entityOf(code: number): string | undefined {
  // Most of a text is beyond these.
  if (code > 0x3e) return undefined;
  if (code === 0x26) return '&amp;';
  if (code === 0x3c) return '&lt;';
  if (code === 0x3e) return '&gt;';
  if (code === 0x22) return '&quot;';
  return code === 0x27 ? '&#039;' : undefined;
}
