/** Whole percentages that always sum to 100. */
export function even(n: number): number[] {
  if (n === 0) return [];
  const base = Math.floor(100 / n);
  return Array.from({ length: n }, (_, i) => base + (i < 100 - base * n ? 1 : 0));
}

/** One is set; the others keep their proportions among themselves, and the largest takes what rounding leaves. */
export function moveShare(shares: number[], which: number, to: number): number[] {
  if (shares.length < 2) return shares.map(() => 100);
  const fixed = Math.max(0, Math.min(100, Math.round(to)));
  const left = 100 - fixed;
  const before = shares.reduce((sum, one, i) => (i === which ? sum : sum + one), 0);
  const out = shares.map((one, i) => {
    if (i === which) return fixed;
    return before > 0 ? Math.round((one / before) * left) : Math.floor(left / (shares.length - 1));
  });
  const rest = 100 - out.reduce((sum, one) => sum + one, 0);
  let largest = -1;
  out.forEach((one, i) => { if (i !== which && (largest < 0 || one > (out[largest] ?? 0))) largest = i; });
  out[largest] = (out[largest] ?? 0) + rest;
  return out;
}
