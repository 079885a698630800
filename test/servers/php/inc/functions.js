/** @param {string} text @param {number} words */
export function excerpt(text, words) {
  const all = text.trim().split(/\s+/);
  return all.length <= words ? text : `${all.slice(0, words).join(' ')} …`;
}
