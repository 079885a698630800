<?php
/** The customers, as a database would give them. */
function customers(): array
{
    $names = ['Ada Byron', 'Bob "Bobby" Tables', "Conan O'Brien", 'Dürer & Söhne', '<script>alert(1)</script>', 'Émile Zola', '山田 太郎'];
    $cities = ['London', 'Nürnberg', 'Paris', "L'Aquila", '東京'];
    $rows = [];
    for ($i = 0; $i < 57; $i++) {
        $rows[] = [
            'id' => $i + 1,
            'name' => $names[$i % count($names)] . ' ' . ($i * 7 % 57),
            'city' => $cities[$i % count($cities)],
            'balance' => ($i * 7919 % 400000 - 150000) / 100,
        ];
    }
    return $rows;
}
