/* Any bytes as one part of an Excel package; the first byte says which, the other parts are sound.
 */
#include "packed.h"
#include "reads.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct packed_part parts[] = {
        {"[Content_Types].xml", STR_INIT("<Types/>")},
        {"xl/worksheets/sheet1.xml",
         STR_INIT("<worksheet><sheetData><row r='1'><c r='A1' t='s'><v>0</v></c><c r='B1' "
                  "t='inlineStr'><is><t>值</t></is></c></row>"
                  "<row r='2'><c r='A2' s='1'><v>43580.5</v></c><c "
                  "r='B2'><v>1</v></c></row></sheetData></worksheet>")},
        {"xl/sharedStrings.xml", STR_INIT("<sst><si><t>项</t></si></sst>")},
        {"xl/styles.xml",
         STR_INIT(
             "<styleSheet><numFmts><numFmt numFmtId='180' formatCode='yyyy-mm-dd hh:mm'/></numFmts>"
             "<cellXfs><xf numFmtId='0'/><xf numFmtId='180'/></cellXfs></styleSheet>")},
        {"xl/workbook.xml",
         STR_INIT(
             "<workbook xmlns:r='r'><sheets><sheet name='一' r:id='r1'/></sheets></workbook>")},
        {"xl/_rels/workbook.xml.rels",
         STR_INIT("<Relationships><Relationship Id='r1' Type='t/worksheet' "
                  "Target='worksheets/sheet1.xml'/></Relationships>")},
    };
    size_t n = sizeof parts / sizeof parts[0];
    if (size < 1)
        return 0;
    struct arena *arena = arena_new((size_t)16 << 20);
    parts[1 + data[0] % (n - 1)].bytes = (struct str){(const char *)data + 1, size - 1};
    read_any(packed_of(arena, parts, n), "a.xlsx");
    arena_free(arena);
    return 0;
}
