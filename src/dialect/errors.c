/* Errors in OpenAI's shape. */
#include <string.h>

#include "dialect/dialect.h"

/* Types and codes as OpenAI's clients know them; every other keeps our own stable code. */
static const struct {
    enum err err;
    const char *type, *code;
} names[] = {
    {ERR_UNAUTHENTICATED, "invalid_request_error", "invalid_api_key"},
    {ERR_FORBIDDEN, "permission_error", "insufficient_permissions"},
    {ERR_NOT_FOUND, "invalid_request_error", "not_found"},
    {ERR_RATE_LIMITED, "rate_limit_error", "rate_limit_exceeded"},
    {ERR_UNSUPPORTED, "invalid_request_error", "unsupported"},
};

void dialect_error(struct json_out *out, enum err err, const struct why *why, const char *param,
                   const char *code)
{
    const char *type = err_http(err) >= 500 ? "server_error" : "invalid_request_error";
    const char *named = err_code(err);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].err == err) {
            type = names[i].type;
            named = names[i].code;
        }
    if (err == ERR_NOT_FOUND && param && strcmp(param, "model") == 0)
        named = "model_not_found";
    json_begin_object(out);
    json_key(out, "error");
    json_begin_object(out);
    json_kv_c(out, "message", why_text(why, err));
    json_kv_c(out, "type", type);
    json_kv_c(out, "param", param);
    json_kv_c(out, "code", code ? code : named);
    json_end_object(out);
    json_end_object(out);
}
