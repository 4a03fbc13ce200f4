/* Any bytes as one part of a Word package; the first byte says which, the other parts are sound. */
#include "packed.h"
#include "reads.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct packed_part parts[] = {
        {"[Content_Types].xml", STR_INIT("<Types/>")},
        {"word/document.xml",
         STR_INIT(
             "<w:document xmlns:w='w'><w:body><w:p><w:pPr><w:pStyle "
             "w:val='1'/></w:pPr><w:r><w:t>一</w:t></w:r></w:p>"
             "<w:p><w:pPr><w:numPr><w:ilvl w:val='0'/><w:numId "
             "w:val='5'/></w:numPr></w:pPr><w:r><w:t>二</w:t></w:r></w:p></w:body></w:document>")},
        {"word/styles.xml", STR_INIT("<w:styles xmlns:w='w'><w:style w:styleId='1'><w:name "
                                     "w:val='heading 1'/></w:style></w:styles>")},
        {"word/numbering.xml",
         STR_INIT("<w:numbering xmlns:w='w'><w:abstractNum w:abstractNumId='0'><w:lvl "
                  "w:ilvl='0'><w:numFmt w:val='chineseCounting'/>"
                  "<w:lvlText w:val='第%1条'/></w:lvl></w:abstractNum><w:num "
                  "w:numId='5'><w:abstractNumId w:val='0'/></w:num></w:numbering>")},
        {"word/footnotes.xml",
         STR_INIT("<w:footnotes xmlns:w='w'><w:footnote "
                  "w:id='2'><w:p><w:r><w:t>注</w:t></w:r></w:p></w:footnote></w:footnotes>")},
        {"_rels/.rels", STR_INIT("<Relationships><Relationship Type='x/officeDocument' "
                                 "Target='word/document.xml'/></Relationships>")},
        {"docProps/core.xml",
         STR_INIT(
             "<c:coreProperties xmlns:c='c' xmlns:d='d'><d:title>题</d:title></c:coreProperties>")},
    };
    size_t n = sizeof parts / sizeof parts[0];
    if (size < 1)
        return 0;
    struct arena *arena = arena_new((size_t)16 << 20);
    parts[1 + data[0] % (n - 1)].bytes = (struct str){(const char *)data + 1, size - 1};
    read_any(packed_of(arena, parts, n), "a.docx");
    arena_free(arena);
    return 0;
}
