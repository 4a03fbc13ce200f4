// The one C++ file of the room: llama.cpp's common library behind engine/chat.h.
extern "C" {
#include "engine/chat.h"
}

#if HAVE_LLAMA

#include <chat.h>
#include <json-schema-to-grammar.h>
#include <llama-grammar.h>
#include <log.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <new>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

namespace
{

constexpr size_t most_depth = 256;         // of brackets that the parser follows by recursion
constexpr size_t most_elements = 1u << 20; // of a grammar: 8 bytes each

std::string text_of(struct str s)
{
    return s.len ? std::string(s.ptr, s.len) : std::string();
}

struct str str_of(const std::string &s)
{
    return {s.data(), s.size()};
}

// llama.cpp's words span lines and show the source; the cause stands behind the last "Error: ".
std::string one_line(const char *words)
{
    std::string line(words);
    size_t cause = line.rfind("\nError: ");
    if (cause != std::string::npos)
        line.erase(0, cause + 8);
    size_t start = line.find_first_not_of("\n- ");
    line.erase(0, start == std::string::npos ? line.size() : start);
    std::string words_of;
    for (char c : line.substr(0, 240))
        if (c != '\n' || (!words_of.empty() && words_of.back() != ' '))
            words_of += c == '\n' ? ' ' : c;
    words_of.erase(words_of.find_last_not_of(' ') + 1);
    return words_of;
}

// Calls `work` and turns whatever it throws into an error with words.
template <typename F> enum err guarded(struct why *why, const char *what, F work)
{
    try {
        return work();
    } catch (const std::bad_alloc &) {
        err_note(why, "%s needs too much memory", what);
        return ERR_NO_MEMORY;
    } catch (const std::exception &e) {
        err_note(why, "%s: %s", what, one_line(e.what()).c_str());
        return ERR_INVALID;
    } catch (...) {
        err_note(why, "%s could not be read", what);
        return ERR_INVALID;
    }
}

// Its log starts a thread and writes to the standard output: not here.
void be_quiet()
{
    static const bool done = (common_log_set_verbosity_thold(-1), true);
    (void)done;
}

const char *trigger_kind(const common_grammar_trigger &trigger)
{
    return trigger.type == COMMON_GRAMMAR_TRIGGER_TYPE_WORD ? "word" : "pattern";
}

// A pattern that stands for the whole text is anchored, as llama.cpp's own sampler does it.
std::string trigger_value(const common_grammar_trigger &trigger)
{
    const std::string &p = trigger.value;
    if (trigger.type != COMMON_GRAMMAR_TRIGGER_TYPE_PATTERN_FULL)
        return p;
    if (p.empty())
        return "^$";
    return (p.front() != '^' ? "^" : "") + p + (p.back() != '$' ? "$" : "");
}

common_json rendered_of(const common_chat_params &params)
{
    common_json triggers = common_json::array();
    for (const auto &t : params.grammar_triggers)
        if (t.type != COMMON_GRAMMAR_TRIGGER_TYPE_TOKEN)
            triggers.push_back({{"kind", trigger_kind(t)}, {"value", trigger_value(t)}});
    common_json preserved = common_json::array(), stops = common_json::array();
    for (const auto &token : params.preserved_tokens)
        preserved.push_back(token);
    for (const auto &stop : params.additional_stops)
        stops.push_back(stop);
    return common_json{{"prompt", params.prompt},
                       {"generation_prompt", params.generation_prompt},
                       {"grammar", params.grammar},
                       {"grammar_lazy", params.grammar_lazy},
                       {"grammar_begun", !params.parser.empty()},
                       {"triggers", triggers},
                       {"preserved", preserved},
                       {"stops", stops},
                       {"thinking", params.supports_thinking},
                       {"format", (int)params.format},
                       {"parser", params.parser}};
}

common_chat_templates_inputs inputs_of(const common_json &request)
{
    common_chat_templates_inputs in;
    in.messages = common_chat_msgs_parse_oaicompat(request.at("messages"));
    if (request.contains("tools"))
        in.tools = common_chat_tools_parse_oaicompat(request.at("tools"));
    in.tool_choice = common_chat_tool_choice_parse_oaicompat(request.value("tool_choice", "auto"));
    in.parallel_tool_calls = request.value("parallel_tool_calls", false);
    if (request.contains("schema"))
        in.json_schema = request.at("schema").dump();
    in.grammar = request.value("grammar", "");
    in.reasoning_format = COMMON_REASONING_FORMAT_DEEPSEEK;
    in.enable_thinking = request.value("thinking", true);
    if (request.contains("template_kwargs"))
        for (const auto &[key, value] : request.at("template_kwargs").items())
            in.chat_template_kwargs[key] = value.dump();
    return in;
}

// The analysis lets a model talk before the call that it must make, and put JSON into a fence.
// Where it does not think first, an answer that must be a call begins with it.
void call_at_once(std::string &grammar)
{
    size_t root = grammar.find("root ::= "), end = grammar.find('\n', root);
    size_t at = grammar.find(" until-", root);
    if (root == std::string::npos || at == std::string::npos || at >= end)
        return;
    size_t behind = grammar.find_first_not_of("0123456789", at + 7);
    if (behind < end && grammar[behind] == '?')
        behind++;
    if (behind < end && grammar[behind] == ' ')
        grammar.erase(at, behind - at);
}

// Some templates' grammars repeat calls though one was asked for.
void one_call(std::string &grammar)
{
    size_t rule = grammar.find("\ntool-calls ::= ");
    size_t end = rule == std::string::npos ? rule : grammar.find('\n', rule + 1);
    if (end != std::string::npos && grammar[end - 1] == '+' && grammar[end - 2] == ')')
        grammar.erase(end - 1, 1);
}

// A template that its analysis does not understand still writes conversations without tools.
common_chat_params apply(const common_chat_templates *tmpl, common_chat_templates_inputs &in)
{
    common_chat_params params;
    try {
        params = common_chat_templates_apply(tmpl, in);
    } catch (const std::invalid_argument &) {
        if (!in.tools.empty())
            throw;
        in.force_pure_content = true;
        params = common_chat_templates_apply(tmpl, in);
        params.grammar = in.grammar;
    }
    if (!in.grammar.empty()) { // the caller's own: nothing else is parsed
        params.grammar = in.grammar;
        params.grammar_lazy = false;
    }
    bool thinks = params.supports_thinking && in.enable_thinking;
    if (!in.json_schema.empty() && in.tools.empty() && !thinks) {
        params.grammar = json_schema_to_grammar(common_json::parse(in.json_schema));
        params.grammar_lazy = false;
        params.parser.clear(); // the text is the content
    }
    if (in.tool_choice == COMMON_CHAT_TOOL_CHOICE_REQUIRED && !thinks)
        call_at_once(params.grammar);
    if (!in.tools.empty() && !in.parallel_tool_calls)
        one_call(params.grammar);
    bool calls = !in.tools.empty() && in.tool_choice != COMMON_CHAT_TOOL_CHOICE_NONE;
    if (calls && params.grammar.empty())
        throw std::runtime_error("it has no place for tools");
    return params;
}

enum err put(struct buf *out, const std::string &text, struct why *why)
{
    buf_add(out, str_of(text));
    return buf_err(out, why);
}

std::string new_call_id()
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    static thread_local std::mt19937_64 random{std::random_device{}()};
    std::string id = "call_";
    for (int i = 0; i < 24; i++)
        id += letters[random() % (sizeof letters - 1)];
    return id;
}

} // namespace

struct chat {
    common_chat_templates_ptr plain, tools; // tools empty: the plain one
};

struct told_call {
    std::string id, arguments; // id empty: its name was not told yet
};

struct chat_reader {
    common_chat_parser_params params;
    bool plain;       // the text is the content
    std::string text; // all so far
    size_t depth = 0, deepest = 0;
    std::string content, reasoning; // as told to the caller
    std::vector<struct told_call> calls;
};

extern "C" enum err chat_open(const struct chat_source *source, struct chat **out, struct why *why)
{
    be_quiet();
    return guarded(why, "the chat template", [&] {
        auto chat = std::make_unique<struct chat>();
        std::string bos = text_of(source->bos), eos = text_of(source->eos);
        std::string text = text_of(source->template_text);
        chat->plain = common_chat_templates_init(nullptr, text.empty() ? "chatml" : text, bos, eos);
        if (source->tool_template.len)
            chat->tools =
                common_chat_templates_init(nullptr, text_of(source->tool_template), bos, eos);
        *out = chat.release();
        return ERR_OK;
    });
}

extern "C" void chat_close(struct chat *chat)
{
    delete chat;
}

extern "C" enum err chat_render(struct chat *chat, struct str request, struct buf *out,
                                struct why *why)
{
    return guarded(why, "the chat template", [&] {
        common_chat_templates_inputs in = inputs_of(common_json::parse(text_of(request)));
        const auto &tmpl = chat->tools && !in.tools.empty() ? chat->tools : chat->plain;
        return put(out, rendered_of(apply(tmpl.get(), in)).dump_safe(), why);
    });
}

extern "C" enum err chat_schema(struct str schema, struct buf *out, struct why *why)
{
    be_quiet();
    return guarded(why, "the JSON schema", [&] {
        return put(out, json_schema_to_grammar(common_json::parse(text_of(schema))), why);
    });
}

namespace
{

// "{5,3}": llama.cpp subtracts the one from the other without a look and then counts for ever.
bool counts_down(const std::string &grammar)
{
    char until = 0; // the end of what is not grammar: a literal, a set, a comment
    for (size_t i = 0; i < grammar.size(); i++) {
        char c = grammar[i];
        unsigned long long least, most;
        if (until && c == '\\' && until != '\n')
            i++;
        else if (until)
            until = c == until ? 0 : until;
        else if (c == '"' || c == '[' || c == '#')
            until = c == '[' ? ']' : c == '#' ? '\n' : '"';
        else if (c == '{' && sscanf(grammar.c_str() + i, "{ %llu , %llu", &least, &most) == 2 &&
                 most < least)
            return true;
    }
    return false;
}

} // namespace

extern "C" enum err chat_grammar(struct str grammar, struct why *why)
{
    return guarded(
        why, "the grammar", [&]() -> enum err {
            llama_grammar_parser parser;
            size_t n = 0;
            if (counts_down(text_of(grammar))) {
                err_note(why, "the grammar repeats at most fewer times than at least");
                return ERR_INVALID;
            }
            if (!parser.parse(text_of(grammar).c_str()) || !parser.symbol_ids.count("root")) {
                err_note(why, "the grammar is not GBNF with a rule \"root\"");
                return ERR_INVALID;
            }
            for (const auto &rule : parser.rules)
                n += rule.size();
            if (n > most_elements) {
                err_note(why, "the grammar has %zu elements; at most %zu are taken", n,
                         most_elements);
                return ERR_TOO_LARGE;
            }
            std::vector<const llama_grammar_element *> rules = parser.c_rules();
            llama_grammar *made = llama_grammar_init_impl(nullptr, rules.data(), rules.size(),
                                                          parser.symbol_ids.at("root"));
            if (!made) { // left recursion
                err_note(why, "the grammar refers to itself without consuming anything");
                return ERR_INVALID;
            }
            llama_grammar_free_impl(made);
            return ERR_OK;
        });
}

// ---- reading an answer ----

extern "C" enum err chat_reader_open(struct str rendered, bool tools, struct chat_reader **out,
                                     struct why *why)
{
    be_quiet();
    return guarded(why, "the rendered chat", [&] {
        common_json r = common_json::parse(text_of(rendered));
        auto reader = std::make_unique<struct chat_reader>();
        std::string parser = r.value("parser", "");
        reader->plain = parser.empty() || (!tools && !r.value("thinking", false));
        reader->params.format = (common_chat_format)r.value("format", 0);
        reader->params.reasoning_format = COMMON_REASONING_FORMAT_DEEPSEEK;
        reader->params.generation_prompt = r.value("generation_prompt", "");
        reader->params.parse_tool_calls = tools;
        if (!reader->plain)
            reader->params.parser.load(parser);
        *out = reader.release();
        return ERR_OK;
    });
}

extern "C" void chat_reader_close(struct chat_reader *reader)
{
    delete reader;
}

namespace
{

// The parser follows JSON by recursion: how deep it may get is what the brackets can nest to.
bool too_deep(struct chat_reader *reader, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '{' || c == '[')
            reader->deepest = std::max(reader->deepest, ++reader->depth);
        else if ((c == '}' || c == ']') && reader->depth > 0)
            reader->depth--;
    }
    return reader->deepest > most_depth;
}

// What was told cannot be taken back: news is what comes behind it.
bool grown(const std::string &told, const std::string &now)
{
    return now.size() > told.size() && now.compare(0, told.size(), told) == 0;
}

enum err tell_text(enum chat_delta_kind kind, std::string &told, const std::string &now,
                   chat_delta_fn *fn, void *ctx, struct why *why)
{
    if (!grown(told, now))
        return ERR_OK;
    struct chat_delta delta = {};
    delta.kind = kind;
    delta.text = {now.data() + told.size(), now.size() - told.size()};
    enum err err = fn(ctx, &delta, why);
    told = now;
    return err;
}

// A call's name is told with the first of its arguments, when it cannot grow any more.
enum err tell_call(struct chat_reader *reader, const common_chat_msg &now, size_t i, bool end,
                   chat_delta_fn *fn, void *ctx, struct why *why)
{
    const common_chat_tool_call &call = now.tool_calls[i];
    struct told_call &told = reader->calls[i];
    bool last = i + 1 == now.tool_calls.size(), begins = told.id.empty();
    bool more = grown(told.arguments, call.arguments);
    if (call.name.empty() || (!more && (!begins || (last && !end))))
        return ERR_OK;
    struct chat_delta delta = {};
    delta.kind = CHAT_TOOL;
    delta.tool = i;
    if (begins) {
        told.id = call.id.empty() ? new_call_id() : call.id;
        delta.id = str_of(told.id);
        delta.name = str_of(call.name);
    }
    if (more)
        delta.text = {call.arguments.data() + told.arguments.size(),
                      call.arguments.size() - told.arguments.size()};
    enum err err = fn(ctx, &delta, why);
    if (more)
        told.arguments = call.arguments;
    return err;
}

bool calls_something(const common_chat_msg &msg)
{
    for (const auto &call : msg.tool_calls)
        if (!call.name.empty())
            return true;
    return false;
}

// Tells what `now` has more than was told before.
enum err tell_news(struct chat_reader *reader, const common_chat_msg &now, bool end,
                   chat_delta_fn *fn, void *ctx, struct why *why)
{
    enum err err =
        tell_text(CHAT_REASONING, reader->reasoning, now.reasoning_content, fn, ctx, why);
    if (!err)
        err = tell_text(CHAT_CONTENT, reader->content, now.content, fn, ctx, why);
    if (calls_something(now) && reader->calls.size() < now.tool_calls.size())
        reader->calls.resize(now.tool_calls.size());
    for (size_t i = 0; !err && i < std::min(reader->calls.size(), now.tool_calls.size()); i++)
        err = tell_call(reader, now, i, end, fn, ctx, why);
    return err;
}

// What the text says, or its plain self when it has no form that the parser knows.
common_chat_msg parse(struct chat_reader *reader, bool end)
{
    for (bool partial : {!end, true}) {
        try {
            return common_chat_parse(reader->text, partial, reader->params);
        } catch (const std::bad_alloc &) {
            throw;
        } catch (const std::exception &) {
            // an answer that was cut: once more, as a part
        }
    }
    return common_chat_msg();
}

} // namespace

extern "C" enum err chat_reader_feed(struct chat_reader *reader, struct str text, bool end,
                                     chat_delta_fn *fn, void *ctx, struct why *why)
{
    return guarded(
        why, "the model's answer", [&]() -> enum err {
            if (reader->plain) {
                struct chat_delta delta = {};
                delta.kind = CHAT_CONTENT;
                delta.text = text;
                return text.len ? fn(ctx, &delta, why) : ERR_OK;
            }
            if (too_deep(reader, text)) {
                err_note(why, "the model's answer is nested more than %zu deep", most_depth);
                return ERR_TOO_LARGE;
            }
            if (text.len)
                reader->text.append(text.ptr, text.len);
            common_chat_msg now = parse(reader, end);
            if (end && !calls_something(now) && reader->calls.empty() &&
                now.reasoning_content.empty() && grown(now.content, reader->text))
                now.content = reader->text; // what might have become a call, and did not
            return tell_news(reader, now, end, fn, ctx, why);
        });
}

#else

static enum err without(struct why *why)
{
    err_note(why, "this program was built without llama.cpp");
    return ERR_UNSUPPORTED;
}

extern "C" enum err chat_open(const struct chat_source *, struct chat **, struct why *why)
{
    return without(why);
}

extern "C" void chat_close(struct chat *)
{
}

extern "C" enum err chat_render(struct chat *, struct str, struct buf *, struct why *why)
{
    return without(why);
}

extern "C" enum err chat_schema(struct str, struct buf *, struct why *why)
{
    return without(why);
}

extern "C" enum err chat_grammar(struct str, struct why *why)
{
    return without(why);
}

extern "C" enum err chat_reader_open(struct str, bool, struct chat_reader **, struct why *why)
{
    return without(why);
}

extern "C" void chat_reader_close(struct chat_reader *)
{
}

extern "C" enum err chat_reader_feed(struct chat_reader *, struct str, bool, chat_delta_fn *,
                                     void *, struct why *why)
{
    return without(why);
}

#endif
