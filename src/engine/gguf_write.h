/*
 * engine/gguf_write - writing GGUF files: keys, then the tensors' shapes, then their elements,
 * streamed.
 *
 *     gguf_out_open -> gguf_put_* (keys) -> gguf_put_tensor (shapes) -> gguf_put_f32 ... ->
 * gguf_out_close
 *
 * The file is written beside its place and put there by gguf_out_close() in one step: nobody ever
 * sees half a model. Failure is sticky: after the first every call does nothing, and
 * gguf_out_close() says what it was. One thread at a time.
 *
 *   Source  as gguf.h; blocks of Q8_0 and Q4_0 as ggml's reference quantisation makes them
 */
#ifndef ENGINE_GGUF_WRITE_H
#define ENGINE_GGUF_WRITE_H

#include "engine/gguf.h"

struct gguf_out;

ERR_MUST_USE enum err gguf_out_open(const char *path, struct gguf_out **out, struct why *why);
/* Puts the file in its place, durable, and frees `out`. ERR_INVALID when keys stand twice, a name
 * is too long or the elements are not as many as the shapes say; then nothing is left on the disk.
 */
ERR_MUST_USE enum err gguf_out_close(struct gguf_out *out, struct why *why);
/* Leaves nothing on the disk. NULL is fine. */
void gguf_out_drop(struct gguf_out *out);

/* ---- keys ---- */

void gguf_put_str(struct gguf_out *out, const char *key, struct str value); /* UTF-8 */
void gguf_put_u32(struct gguf_out *out, const char *key, uint32_t value);
void gguf_put_real(struct gguf_out *out, const char *key, float value);
void gguf_put_bool(struct gguf_out *out, const char *key, bool value);
void gguf_put_strs(struct gguf_out *out, const char *key, const struct str *items, size_t n);
void gguf_put_i32s(struct gguf_out *out, const char *key, const int32_t *items, size_t n);
void gguf_put_reals(struct gguf_out *out, const char *key, const float *items, size_t n);
/* A value of another file, as it lies there. */
void gguf_put_value(struct gguf_out *out, struct str key, const struct gguf_value *value);

/* ---- tensors ---- */

/* After the last key. Shapes of F32, F16, Q8_0 and Q4_0; rows of dims[0] elements. Where a row is
 * no whole number of blocks, or n_dims is 1, F32 is taken instead; the kind taken is returned. */
enum gguf_tensor_kind gguf_put_tensor(struct gguf_out *out, const char *name,
                                      enum gguf_tensor_kind kind, uint32_t n_dims,
                                      const uint64_t *dims);
/* The next n elements, tensor after tensor in the order of gguf_put_tensor, in whole rows. They are
 * brought to the tensor's kind. */
void gguf_put_f32(struct gguf_out *out, const float *elements, uint64_t n);

/* ---- one row ---- */

/* x[n] to the kind (F32, F16, Q8_0, Q4_0; n whole blocks), `to` of gguf_row_bytes(). */
void gguf_row_pack(enum gguf_tensor_kind kind, const float *x, size_t n, uint8_t *to);
/* And back; false for a kind that we cannot read. */
bool gguf_row_unpack(enum gguf_tensor_kind kind, const uint8_t *from, size_t n, float *x);
size_t gguf_row_bytes(enum gguf_tensor_kind kind, size_t n);
uint16_t gguf_half(float x); /* IEEE half precision, to the nearest, ties to even */
float gguf_from_half(uint16_t h);

#endif
