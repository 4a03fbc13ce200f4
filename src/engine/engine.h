/*
 * engine - one model in one process, model files and tokenizers: the room's public header.
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "engine/gguf.h"
#include "engine/gguf_make.h"
#include "engine/gguf_write.h"
#include "engine/vocab.h"

#endif
