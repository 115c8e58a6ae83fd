// Products of matrices and vectors, and the cells of an LSTM, in float32 with four lanes.
// Built by tools/build_kernel.sh into kernel.wasm.
#include <wasm_simd128.h>

typedef v128_t f4;

static inline float sum(f4 a) {
  return wasm_f32x4_extract_lane(a, 0) + wasm_f32x4_extract_lane(a, 1) +
         wasm_f32x4_extract_lane(a, 2) + wasm_f32x4_extract_lane(a, 3);
}

// y[r][o] += sum_i w[o][i] x[r][i]; w is [out, in], rows of w begin `stride` numbers apart.
__attribute__((export_name("times")))
void times(const float *w, int stride, const float *x, float *y, int out, int in, int rows) {
  int whole = in & ~3;
  for (int o = 0; o < out; o += 4) {
    int some = out - o < 4 ? out - o : 4;
    const float *w0 = w + (long)o * stride;
    const float *w1 = w0 + (some > 1 ? stride : 0);
    const float *w2 = w0 + (some > 2 ? 2 * stride : 0);
    const float *w3 = w0 + (some > 3 ? 3 * stride : 0);
    int r = 0;
    for (; r + 1 < rows; r += 2) {
      const float *p = x + (long)r * in, *q = p + in;
      f4 a0 = wasm_f32x4_splat(0), a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
      for (int i = 0; i < whole; i += 4) {
        f4 u = wasm_v128_load(p + i), v = wasm_v128_load(q + i);
        f4 k0 = wasm_v128_load(w0 + i), k1 = wasm_v128_load(w1 + i);
        f4 k2 = wasm_v128_load(w2 + i), k3 = wasm_v128_load(w3 + i);
        a0 = wasm_f32x4_add(a0, wasm_f32x4_mul(k0, u));
        a1 = wasm_f32x4_add(a1, wasm_f32x4_mul(k1, u));
        a2 = wasm_f32x4_add(a2, wasm_f32x4_mul(k2, u));
        a3 = wasm_f32x4_add(a3, wasm_f32x4_mul(k3, u));
        b0 = wasm_f32x4_add(b0, wasm_f32x4_mul(k0, v));
        b1 = wasm_f32x4_add(b1, wasm_f32x4_mul(k1, v));
        b2 = wasm_f32x4_add(b2, wasm_f32x4_mul(k2, v));
        b3 = wasm_f32x4_add(b3, wasm_f32x4_mul(k3, v));
      }
      float s[8] = {sum(a0), sum(a1), sum(a2), sum(a3), sum(b0), sum(b1), sum(b2), sum(b3)};
      for (int i = whole; i < in; i++) {
        s[0] += w0[i] * p[i]; s[1] += w1[i] * p[i]; s[2] += w2[i] * p[i]; s[3] += w3[i] * p[i];
        s[4] += w0[i] * q[i]; s[5] += w1[i] * q[i]; s[6] += w2[i] * q[i]; s[7] += w3[i] * q[i];
      }
      for (int k = 0; k < some; k++) {
        y[(long)r * out + o + k] += s[k];
        y[(long)(r + 1) * out + o + k] += s[4 + k];
      }
    }
    for (; r < rows; r++) {
      const float *p = x + (long)r * in;
      f4 a0 = wasm_f32x4_splat(0), a1 = a0, a2 = a0, a3 = a0;
      for (int i = 0; i < whole; i += 4) {
        f4 u = wasm_v128_load(p + i);
        a0 = wasm_f32x4_add(a0, wasm_f32x4_mul(wasm_v128_load(w0 + i), u));
        a1 = wasm_f32x4_add(a1, wasm_f32x4_mul(wasm_v128_load(w1 + i), u));
        a2 = wasm_f32x4_add(a2, wasm_f32x4_mul(wasm_v128_load(w2 + i), u));
        a3 = wasm_f32x4_add(a3, wasm_f32x4_mul(wasm_v128_load(w3 + i), u));
      }
      float s[4] = {sum(a0), sum(a1), sum(a2), sum(a3)};
      for (int i = whole; i < in; i++) {
        s[0] += w0[i] * p[i]; s[1] += w1[i] * p[i]; s[2] += w2[i] * p[i]; s[3] += w3[i] * p[i];
      }
      for (int k = 0; k < some; k++) y[(long)r * out + o + k] += s[k];
    }
  }
}

// exp(x) to some 1e-7 (Cephes, expf), for -87 < x < 87.
static inline f4 expo(f4 x) {
  x = wasm_f32x4_max(wasm_f32x4_min(x, wasm_f32x4_splat(87.0f)), wasm_f32x4_splat(-87.0f));
  f4 n = wasm_f32x4_nearest(wasm_f32x4_mul(x, wasm_f32x4_splat(1.44269504f)));
  x = wasm_f32x4_sub(x, wasm_f32x4_mul(n, wasm_f32x4_splat(0.693359375f)));
  x = wasm_f32x4_add(x, wasm_f32x4_mul(n, wasm_f32x4_splat(2.12194440e-4f)));
  f4 y = wasm_f32x4_splat(1.9875691500e-4f);
  y = wasm_f32x4_add(wasm_f32x4_mul(y, x), wasm_f32x4_splat(1.3981999507e-3f));
  y = wasm_f32x4_add(wasm_f32x4_mul(y, x), wasm_f32x4_splat(8.3334519073e-3f));
  y = wasm_f32x4_add(wasm_f32x4_mul(y, x), wasm_f32x4_splat(4.1665795894e-2f));
  y = wasm_f32x4_add(wasm_f32x4_mul(y, x), wasm_f32x4_splat(1.6666665459e-1f));
  y = wasm_f32x4_add(wasm_f32x4_mul(y, x), wasm_f32x4_splat(5.0000001201e-1f));
  y = wasm_f32x4_add(wasm_f32x4_mul(y, wasm_f32x4_mul(x, x)), x);
  y = wasm_f32x4_add(y, wasm_f32x4_splat(1.0f));
  f4 power = wasm_i32x4_shl(wasm_i32x4_add(wasm_i32x4_trunc_sat_f32x4(n), wasm_i32x4_splat(127)), 23);
  return wasm_f32x4_mul(y, power);
}

static inline f4 sigmoid(f4 x) {
  f4 one = wasm_f32x4_splat(1.0f);
  return wasm_f32x4_div(one, wasm_f32x4_add(one, expo(wasm_f32x4_neg(x))));
}

// tanh (Cephes, tanhf): a polynomial where |x| < 0.625.
static inline f4 tangent(f4 x) {
  f4 one = wasm_f32x4_splat(1.0f), two = wasm_f32x4_splat(2.0f);
  f4 far = wasm_f32x4_sub(one, wasm_f32x4_div(two, wasm_f32x4_add(expo(wasm_f32x4_mul(two, x)), one)));
  f4 s = wasm_f32x4_mul(x, x), y = wasm_f32x4_splat(-5.70498872745e-3f);
  y = wasm_f32x4_add(wasm_f32x4_mul(y, s), wasm_f32x4_splat(2.06390887954e-2f));
  y = wasm_f32x4_add(wasm_f32x4_mul(y, s), wasm_f32x4_splat(-5.37397155531e-2f));
  y = wasm_f32x4_add(wasm_f32x4_mul(y, s), wasm_f32x4_splat(1.33314422036e-1f));
  y = wasm_f32x4_add(wasm_f32x4_mul(y, s), wasm_f32x4_splat(-3.33332819422e-1f));
  f4 near = wasm_f32x4_add(wasm_f32x4_mul(wasm_f32x4_mul(y, s), x), x);
  return wasm_v128_bitselect(near, far, wasm_f32x4_lt(wasm_f32x4_abs(x), wasm_f32x4_splat(0.625f)));
}

// One step: gates [rows, 4 size] in order i, f, g, o, to which the last h is added yet; h and c
// [rows, size] are replaced. size is a multiple of 4.
__attribute__((export_name("step")))
void step(const float *w, float *gates, float *h, float *c, int size, int rows) {
  times(w, size, h, gates, 4 * size, size, rows);
  for (int r = 0; r < rows; r++) {
    const float *g = gates + (long)r * 4 * size;
    float *hidden = h + (long)r * size, *cell = c + (long)r * size;
    for (int k = 0; k < size; k += 4) {
      f4 i = sigmoid(wasm_v128_load(g + k)), f = sigmoid(wasm_v128_load(g + size + k));
      f4 n = tangent(wasm_v128_load(g + 2 * size + k)), o = sigmoid(wasm_v128_load(g + 3 * size + k));
      f4 after = wasm_f32x4_add(wasm_f32x4_mul(f, wasm_v128_load(cell + k)), wasm_f32x4_mul(i, n));
      wasm_v128_store(cell + k, after);
      wasm_v128_store(hidden + k, wasm_f32x4_mul(o, tangent(after)));
    }
  }
}

// float16 numbers to float32, also those that are not normal.
__attribute__((export_name("widen")))
void widen(const unsigned short *from, float *to, int count) {
  for (int i = 0; i < count; i++) {
    unsigned int h = from[i], sign = (h & 0x8000u) << 16, rest = h & 0x7fffu;
    union { unsigned int bits; float number; } u;
    u.bits = (rest << 13) + ((127 - 15) << 23);
    if (rest < 0x400) {
      union { unsigned int bits; float number; } base = {.bits = (127 - 14) << 23};
      u.bits = (rest << 13) + ((127 - 14) << 23);
      u.number -= base.number;
    } else if (rest >= 0x7c00) {
      u.bits = 0x7f800000u | (rest << 13);
    }
    u.bits |= sign;
    to[i] = u.number;
  }
}

extern unsigned char __heap_base;
__attribute__((export_name("base")))
unsigned int base(void) { return (unsigned int)&__heap_base; }
