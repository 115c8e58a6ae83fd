#!/bin/sh
# Builds the kernel of models in the browser, which is committed; needs clang and lld.
clang -O3 --target=wasm32 -msimd128 -nostdlib -ffreestanding -fno-builtin \
  -Wl,--no-entry -Wl,--strip-all -o src/kernel.wasm tools/kernel.c
