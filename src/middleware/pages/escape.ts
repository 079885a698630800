/** As PHP's htmlspecialchars: text that is safe in HTML, between tags and in quoted attributes. */
export function htmlspecialchars(value: unknown): string {
  const text = typeof value === 'string' ? value : String(value);
  const first = SPECIAL.exec(text)?.index;
  if (first === undefined) return text;
  let escaped = '';
  let from = 0;
  for (let at = first; at < text.length; at++) {
    const entity = ENTITIES[text.charCodeAt(at)];
    if (entity === undefined) continue;
    escaped += text.slice(from, at) + entity;
    from = at + 1;
  }
  return escaped + text.slice(from);
}

const SPECIAL = /["&'<>]/;

/** By the code of the character. */
const ENTITIES: (string | undefined)[] = [];
ENTITIES[0x22] = '&quot;';
ENTITIES[0x26] = '&amp;';
ENTITIES[0x27] = '&#039;';
ENTITIES[0x3c] = '&lt;';
ENTITIES[0x3e] = '&gt;';
