/* rank_shipped - the bytes of the models in the binary: rank_model.S puts them there. Private. */
#ifndef KNOWLEDGE_RANK_SHIPPED_H
#define KNOWLEDGE_RANK_SHIPPED_H

extern const unsigned char rank_shipped_begin[], rank_shipped_end[];
extern const unsigned char asked_shipped_begin[], asked_shipped_end[];

#endif
