/** Times that the page measures of itself, for the corner that shows them and for tests. */
export class Meter {
  constructor() {
    this.series = new Map();
  }

  add(name, milliseconds) {
    const values = this.series.get(name) ?? [];
    values.push(milliseconds);
    if (values.length > 500) values.shift();
    this.series.set(name, values);
  }

  /** Name -> {count, median, p95, worst} in milliseconds. */
  summary() {
    const rows = [...this.series].map(([name, values]) => {
      const sorted = [...values].sort((a, b) => a - b);
      const at = (share) => sorted[Math.min(Math.floor(share * sorted.length), sorted.length - 1)];
      return [name, { count: values.length, median: at(0.5), p95: at(0.95), worst: sorted.at(-1) }];
    });
    return Object.fromEntries(rows);
  }
}
