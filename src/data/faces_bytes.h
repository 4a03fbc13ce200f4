/* data/faces_bytes - the network in the binary (faces_bytes.S.in); see faces.h. */
#ifndef DATA_FACES_BYTES_H
#define DATA_FACES_BYTES_H

extern const unsigned char faces_list_begin[], faces_list_end[];
extern const unsigned char faces_bytes_begin[], faces_bytes_end[];

#endif
