/* Any bytes named .pdf. */
#include "reads.h"

/* Fonts that fontconfig keeps for the life of the process. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libfontconfig\nleak:libcairo\n";
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_any((struct str){(const char *)data, size}, "a.pdf");
    return 0;
}
