/** The customers, as a database would give them. */
export function customers() {
  const names = [
    'Ada Byron',
    'Bob "Bobby" Tables',
    "Conan O'Brien",
    'Dürer & Söhne',
    '<script>alert(1)</script>',
    'Émile Zola',
    '山田 太郎',
  ];
  const cities = ['London', 'Nürnberg', 'Paris', "L'Aquila", '東京'];
  const rows = [];
  for (let i = 0; i < 57; i++) {
    rows.push({
      id: i + 1,
      name: `${names[i % names.length]} ${(i * 7) % 57}`,
      city: cities[i % cities.length],
      balance: (((i * 7919) % 400000) - 150000) / 100,
    });
  }
  return rows;
}
