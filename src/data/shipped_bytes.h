/* shipped_bytes - the bytes of the models in the binary: shipped.S puts them there. Private. */
#ifndef DATA_SHIPPED_BYTES_H
#define DATA_SHIPPED_BYTES_H

extern const unsigned char shipped_rude_begin[], shipped_rude_end[];
extern const unsigned char shipped_quality_begin[], shipped_quality_end[];
extern const unsigned char shipped_pairs_begin[], shipped_pairs_end[];

#endif
