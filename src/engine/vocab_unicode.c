/* The only file of the room that sees ICU: properties of characters. */
#include <unicode/uchar.h>
#include <unicode/unorm2.h>

#include "engine/vocab_in.h"

uint8_t vocab_unicode_class(uint32_t c)
{
    static const uint8_t classes[U_CHAR_CATEGORY_COUNT] = {
        [U_UPPERCASE_LETTER] = CLASS_LETTER,
        [U_LOWERCASE_LETTER] = CLASS_LETTER,
        [U_TITLECASE_LETTER] = CLASS_LETTER,
        [U_MODIFIER_LETTER] = CLASS_LETTER,
        [U_OTHER_LETTER] = CLASS_LETTER,
        [U_NON_SPACING_MARK] = CLASS_MARK,
        [U_ENCLOSING_MARK] = CLASS_MARK,
        [U_COMBINING_SPACING_MARK] = CLASS_MARK,
        [U_DECIMAL_DIGIT_NUMBER] = CLASS_NUMBER,
        [U_LETTER_NUMBER] = CLASS_NUMBER,
        [U_OTHER_NUMBER] = CLASS_NUMBER,
        [U_CONTROL_CHAR] = CLASS_CONTROL,
        [U_FORMAT_CHAR] = CLASS_CONTROL,
        [U_PRIVATE_USE_CHAR] = CLASS_CONTROL,
        [U_SURROGATE] = CLASS_CONTROL,
        [U_DASH_PUNCTUATION] = CLASS_PUNCTUATION,
        [U_START_PUNCTUATION] = CLASS_PUNCTUATION,
        [U_END_PUNCTUATION] = CLASS_PUNCTUATION,
        [U_CONNECTOR_PUNCTUATION] = CLASS_PUNCTUATION,
        [U_OTHER_PUNCTUATION] = CLASS_PUNCTUATION,
        [U_INITIAL_PUNCTUATION] = CLASS_PUNCTUATION,
        [U_FINAL_PUNCTUATION] = CLASS_PUNCTUATION,
        [U_MATH_SYMBOL] = CLASS_SYMBOL,
        [U_CURRENCY_SYMBOL] = CLASS_SYMBOL,
        [U_MODIFIER_SYMBOL] = CLASS_SYMBOL,
        [U_OTHER_SYMBOL] = CLASS_SYMBOL,
    };
    uint8_t class = classes[u_charType((UChar32)c)];
    return u_isUWhiteSpace((UChar32)c) ? class | CLASS_SPACE : class;
}

uint32_t vocab_unicode_lower(uint32_t c)
{
    return (uint32_t)u_tolower((UChar32)c);
}

uint32_t vocab_unicode_base(uint32_t c)
{
    UErrorCode status = U_ZERO_ERROR;
    const UNormalizer2 *nfd = unorm2_getNFDInstance(&status);
    UChar parts[16];
    int32_t n =
        U_SUCCESS(status) ? unorm2_getDecomposition(nfd, (UChar32)c, parts, 16, &status) : -1;
    UChar32 first;
    if (n <= 0 || U_FAILURE(status))
        return c;
    U16_GET(parts, 0, 0, n, first);
    return (uint32_t)first;
}
