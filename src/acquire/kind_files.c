/* acquire/kind_files - files and folders of the server; read by the import of room data. */
#include "acquire/acquire_in.h"

static const struct acquire_param params[] = {
    {"paths", PARAM_LIST, true, 0, 0, NULL, NULL, "", "Files and folders on the server",
     "服务器上的文件和文件夹"},
};

const struct acquire_kind acquire_kind_files = {
    .name = "files",
    .title = "Files and folders",
    .title_zh = "文件与文件夹",
    .summary =
        "Everything that formats can read below folders of the server; new and changed files "
        "are added at each run",
    .summary_zh = "读取服务器文件夹中的各类文件，每次只追加新增或变动的文件",
    .records = "text|row|qa|chat|classification|spans|preference|caption",
    .params = params,
    .n_params = sizeof params / sizeof params[0],
};
