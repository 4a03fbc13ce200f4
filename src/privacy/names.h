/* names - the bytes of the tagger and its gate in the binary: models/names.S puts them there.
 * Private. */
#ifndef PRIVACY_NAMES_H
#define PRIVACY_NAMES_H

extern const unsigned char privacy_names_begin[], privacy_names_end[];
extern const unsigned char privacy_gate_begin[], privacy_gate_end[];

#endif
