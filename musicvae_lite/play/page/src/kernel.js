/** Products of matrices and cells of an LSTM in WebAssembly; see tools/kernel.c. */

const PAGE = 65536;

export class Kernel {
  /** @param {BufferSource} bytes kernel.wasm */
  static async load(bytes) {
    const { instance } = await WebAssembly.instantiate(bytes);
    return new Kernel(instance.exports);
  }

  constructor(exports) {
    this.exports = exports;
    this.free = (exports.base() + 15) & ~15;
    this.mark = 0;
  }

  /** Take memory for `count` numbers; returns its address. */
  take(count) {
    const at = this.free;
    this.free = (at + 4 * count + 15) & ~15;
    const lacking = this.free - this.exports.memory.buffer.byteLength;
    if (lacking > 0) this.exports.memory.grow(Math.ceil(lacking / PAGE));
    return at;
  }

  /** Run something, and give back the memory that it took. */
  scratch(work) {
    const before = this.free;
    try {
      return work();
    } finally {
      this.free = before;
    }
  }

  /** The numbers at an address, valid until memory is taken. */
  at(address, count) {
    return new Float32Array(this.exports.memory.buffer, address, count);
  }

  /** Put numbers into memory of their own. */
  put(numbers) {
    const at = this.take(numbers.length);
    this.at(at, numbers.length).set(numbers);
    return at;
  }

  /** float16 numbers as float32. */
  widen(halves) {
    return this.scratch(() => {
      const to = this.take(halves.length);
      const from = this.take((halves.length + 1) >> 1);
      new Uint16Array(this.exports.memory.buffer, from, halves.length).set(halves);
      this.exports.widen(from, to, halves.length);
      return this.at(to, halves.length).slice();
    });
  }

  /** x [rows, in] times the transpose of a matrix {at, out, in, stride}, plus a bias: [rows, out]. */
  times(matrix, x, bias = null) {
    const rows = x.length / matrix.in;
    return this.scratch(() => {
      const from = this.put(x);
      const to = this.take(rows * matrix.out);
      const made = this.at(to, rows * matrix.out);
      if (bias) for (let row = 0; row < rows; row++) made.set(bias, row * matrix.out);
      else made.fill(0);
      this.exports.times(matrix.at, matrix.stride, from, to, matrix.out, matrix.in, rows);
      return made.slice();
    });
  }
}

/** Columns `first` to `last` of a matrix. */
export function columns(matrix, first, last) {
  return { at: matrix.at + 4 * first, out: matrix.out, in: last - first, stride: matrix.stride };
}
