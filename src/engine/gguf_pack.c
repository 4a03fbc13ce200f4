/* Rows of numbers to and from the kinds of tensors that we write. */
#include <math.h>
#include <string.h>

#include "engine/gguf_write.h"

#define BLOCK 32 /* elements of a block of Q8_0 and Q4_0 */

uint16_t gguf_half(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    uint32_t sign = u >> 16 & 0x8000, magnitude = u & 0x7FFFFFFF;
    if (magnitude >= 0x7F800000) /* infinity, or not a number: kept as such */
        return (uint16_t)(sign | 0x7C00 | (magnitude > 0x7F800000 ? 0x200 : 0));
    if (magnitude >= 0x477FF000) /* 65520 and above round to infinity */
        return (uint16_t)(sign | 0x7C00);
    if (magnitude < 0x38800000) { /* below 2^-14: a half without its hidden bit */
        float tiny;
        memcpy(&tiny, &magnitude, sizeof tiny);
        return (uint16_t)(sign | (uint32_t)lrintf(tiny * 16777216.0f)); /* units of 2^-24 */
    }
    uint32_t rounded = magnitude + 0xFFF + (magnitude >> 13 & 1);
    return (uint16_t)(sign | (rounded - 0x38000000) >> 13);
}

float gguf_from_half(uint16_t h)
{
    uint32_t exponent = h >> 10 & 31, mantissa = h & 0x3FF, sign = (uint32_t)(h & 0x8000) << 16;
    float x;
    if (exponent == 0) {
        x = (float)mantissa * 5.9604644775390625e-8f; /* 2^-24 */
        return sign ? -x : x;
    }
    uint32_t u = sign | (exponent == 31 ? 0x7F800000 : (exponent + 112) << 23) | mantissa << 13;
    memcpy(&x, &u, sizeof x);
    return x;
}

static void put_half(uint8_t *to, float x)
{
    uint16_t h = gguf_half(x);
    memcpy(to, &h, sizeof h);
}

static float get_half(const uint8_t *from)
{
    uint16_t h;
    memcpy(&h, from, sizeof h);
    return gguf_from_half(h);
}

/* d = largest / 127, then the nearest multiples. */
static void pack_q8_0(const float *x, uint8_t *to)
{
    float most = 0;
    for (int i = 0; i < BLOCK; i++)
        most = fmaxf(most, fabsf(x[i]));
    float d = most / 127, inverse = d > 0 ? 1 / d : 0;
    put_half(to, d);
    for (int i = 0; i < BLOCK; i++)
        to[2 + i] = (uint8_t)(int8_t)roundf(x[i] * inverse);
}

/* d = (the element farthest from 0) / -8, so that it becomes the nibble 0; the others move up by 8.
 * Byte i holds element i low and element i + 16 high. */
static void pack_q4_0(const float *x, uint8_t *to)
{
    float far = 0;
    for (int i = 0; i < BLOCK; i++)
        if (fabsf(x[i]) > fabsf(far))
            far = x[i];
    float d = far / -8, inverse = d != 0 ? 1 / d : 0;
    put_half(to, d);
    for (int i = 0; i < BLOCK / 2; i++) {
        int low = (int)(x[i] * inverse + 8.5f), high = (int)(x[i + BLOCK / 2] * inverse + 8.5f);
        to[2 + i] = (uint8_t)((low > 15 ? 15 : low) | (high > 15 ? 15 : high) << 4);
    }
}

size_t gguf_row_bytes(enum gguf_tensor_kind kind, size_t n)
{
    uint32_t elements = 1, bytes = 0;
    (void)gguf_tensor_block(kind, &elements, &bytes);
    return n / elements * bytes;
}

void gguf_row_pack(enum gguf_tensor_kind kind, const float *x, size_t n, uint8_t *to)
{
    if (kind == GGUF_TENSOR_F32)
        memcpy(to, x, n * sizeof *x);
    for (size_t i = 0; kind == GGUF_TENSOR_F16 && i < n; i++)
        put_half(to + 2 * i, x[i]);
    for (size_t i = 0; kind == GGUF_TENSOR_Q8_0 && i < n; i += BLOCK)
        pack_q8_0(x + i, to + i / BLOCK * 34);
    for (size_t i = 0; kind == GGUF_TENSOR_Q4_0 && i < n; i += BLOCK)
        pack_q4_0(x + i, to + i / BLOCK * 18);
}

bool gguf_row_unpack(enum gguf_tensor_kind kind, const uint8_t *from, size_t n, float *x)
{
    switch (kind) {
    case GGUF_TENSOR_F32:
        memcpy(x, from, n * sizeof *x);
        return true;
    case GGUF_TENSOR_F16:
        for (size_t i = 0; i < n; i++)
            x[i] = get_half(from + 2 * i);
        return true;
    case GGUF_TENSOR_BF16:
        for (size_t i = 0; i < n; i++) {
            uint32_t u = (uint32_t)from[2 * i] << 16 | (uint32_t)from[2 * i + 1] << 24;
            memcpy(&x[i], &u, sizeof u);
        }
        return true;
    case GGUF_TENSOR_Q8_0:
        for (size_t i = 0; i < n; i++)
            x[i] = get_half(from + i / BLOCK * 34) *
                   (float)(int8_t)from[i / BLOCK * 34 + 2 + i % BLOCK];
        return true;
    case GGUF_TENSOR_Q4_0:
        for (size_t i = 0; i < n; i++) {
            const uint8_t *block = from + i / BLOCK * 18;
            size_t j = i % BLOCK;
            int nibble = j < BLOCK / 2 ? block[2 + j] & 15 : block[2 + j - BLOCK / 2] >> 4;
            x[i] = get_half(block) * (float)(nibble - 8);
        }
        return true;
    default:
        return false;
    }
}
