/* Words nearby: what tells an office's telephone from a person's, an order from a card. */
#include <string.h>

#include "core/utf8.h"
#include "privacy/scan_in.h"

#define WINDOW  132 /* bytes before, some 40 characters */

#define B(sort) (1u << (sort))

static const struct {
    const char *word; /* ASCII in lower case */
    unsigned sorts;
} words[] = {
    /* telephones of offices */
    {"咨询", B(CUE_OFFICE)},
    {"投诉电话", B(CUE_OFFICE) | B(CUE_PHONE)},
    {"投诉举报", B(CUE_OFFICE)},
    {"电话投诉", B(CUE_OFFICE) | B(CUE_PHONE)},
    {"投诉方式", B(CUE_OFFICE)},
    {"投诉渠道", B(CUE_OFFICE)},
    {"投诉监督", B(CUE_OFFICE)},
    {"监督投诉", B(CUE_OFFICE)},
    {"举报电话", B(CUE_OFFICE) | B(CUE_PHONE)},
    {"监督", B(CUE_OFFICE)},
    {"热线", B(CUE_OFFICE) | B(CUE_PHONE)},
    {"客服", B(CUE_OFFICE)},
    {"服务电话", B(CUE_OFFICE) | B(CUE_PHONE)},
    {"值班", B(CUE_OFFICE)},
    {"办公电话", B(CUE_OFFICE) | B(CUE_PHONE)},
    {"办公室", B(CUE_OFFICE)},
    {"业务电话", B(CUE_OFFICE) | B(CUE_PHONE)},
    {"对外电话", B(CUE_OFFICE) | B(CUE_PHONE)},
    {"公开电话", B(CUE_OFFICE) | B(CUE_PHONE)},
    {"报名电话", B(CUE_OFFICE) | B(CUE_PHONE)},
    {"预约电话", B(CUE_OFFICE) | B(CUE_PHONE)},
    {"报修电话", B(CUE_OFFICE) | B(CUE_PHONE)},
    {"救援电话", B(CUE_OFFICE) | B(CUE_PHONE)},
    {"抢修", B(CUE_OFFICE)},
    {"传真", B(CUE_OFFICE)},
    {"总机", B(CUE_OFFICE)},
    {"前台", B(CUE_OFFICE)},
    {"窗口", B(CUE_OFFICE)},
    {"大厅", B(CUE_OFFICE)},
    {"受理电话", B(CUE_OFFICE) | B(CUE_PHONE)},
    {"查询电话", B(CUE_OFFICE) | B(CUE_PHONE)},
    {"电话查询", B(CUE_OFFICE) | B(CUE_PHONE)},
    {"受理部门", B(CUE_OFFICE)},
    {"受理单位", B(CUE_OFFICE)},
    {"承办单位", B(CUE_OFFICE)},
    {"请拨打", B(CUE_OFFICE)},
    {"可拨打", B(CUE_OFFICE)},
    {"拨打", B(CUE_AGENCY)},
    {"致电", B(CUE_AGENCY)},
    {"consult", B(CUE_OFFICE)},
    {"complain", B(CUE_OFFICE)},
    {"hotline", B(CUE_OFFICE)},
    {"office", B(CUE_OFFICE)},
    {"service", B(CUE_OFFICE)},
    {"公众号", B(CUE_OFFICE)},
    {"官方", B(CUE_OFFICE)},
    {"订阅号", B(CUE_OFFICE)},
    {"政务", B(CUE_OFFICE)},
    {"实施机关", B(CUE_OFFICE)},
    /* agencies */
    {"局", B(CUE_AGENCY)},
    {"厅", B(CUE_AGENCY)},
    {"委员会", B(CUE_AGENCY)},
    {"居委会", B(CUE_AGENCY)},
    {"村委会", B(CUE_AGENCY)},
    {"管委会", B(CUE_AGENCY)},
    {"中心", B(CUE_AGENCY)},
    {"街道办", B(CUE_AGENCY)},
    {"办事处", B(CUE_AGENCY)},
    {"派出所", B(CUE_AGENCY)},
    {"政府", B(CUE_AGENCY)},
    {"医院", B(CUE_AGENCY)},
    {"学校", B(CUE_AGENCY)},
    {"学院", B(CUE_AGENCY)},
    {"大学", B(CUE_AGENCY)},
    {"法院", B(CUE_AGENCY)},
    {"检察院", B(CUE_AGENCY)},
    {"公证处", B(CUE_AGENCY)},
    {"管理处", B(CUE_AGENCY)},
    {"管理所", B(CUE_AGENCY)},
    {"支队", B(CUE_AGENCY)},
    {"大队", B(CUE_AGENCY)},
    {"部门", B(CUE_AGENCY)},
    {"处室", B(CUE_AGENCY)},
    {"单位", B(CUE_AGENCY)},
    {"公司", B(CUE_AGENCY)},
    {"银行", B(CUE_AGENCY)},
    {"物业", B(CUE_AGENCY)},
    {"图书馆", B(CUE_AGENCY)},
    {"博物馆", B(CUE_AGENCY)},
    {"体育馆", B(CUE_AGENCY)},
    {"体育场", B(CUE_AGENCY)},
    {"税务", B(CUE_AGENCY)},
    {"人社", B(CUE_AGENCY)},
    {"营业厅", B(CUE_OFFICE)},
    /* people */
    {"本人", B(CUE_PERSON)},
    {"我的", B(CUE_PERSON)},
    {"我家", B(CUE_PERSON)},
    {"我是", B(CUE_PERSON)},
    {"我叫", B(CUE_PERSON)},
    {"家庭", B(CUE_PERSON)},
    {"家里", B(CUE_PERSON)},
    {"家中", B(CUE_PERSON)},
    {"家住", B(CUE_PERSON)},
    {"住宅", B(CUE_PERSON)},
    {"宅电", B(CUE_PERSON) | B(CUE_PHONE)},
    {"座机", B(CUE_PERSON) | B(CUE_PHONE)},
    {"个人", B(CUE_PERSON)},
    {"先生", B(CUE_PERSON)},
    {"女士", B(CUE_PERSON)},
    {"老师", B(CUE_PERSON)},
    {"业主", B(CUE_PERSON)},
    {"居民", B(CUE_PERSON)},
    {"户主", B(CUE_PERSON)},
    {"投诉人", B(CUE_PERSON)},
    {"来电人", B(CUE_PERSON)},
    {"举报人", B(CUE_PERSON)},
    {"申请人", B(CUE_PERSON)},
    {"当事人", B(CUE_PERSON)},
    {"诉求人", B(CUE_PERSON)},
    {"市民", B(CUE_PERSON)},
    {"患者", B(CUE_PERSON)},
    {"家长", B(CUE_PERSON)},
    {"父亲", B(CUE_PERSON)},
    {"母亲", B(CUE_PERSON)},
    {"配偶", B(CUE_PERSON)},
    {"房东", B(CUE_PERSON)},
    {"收件人", B(CUE_PERSON)},
    {"收货人", B(CUE_PERSON)},
    {"司机", B(CUE_PERSON)},
    {"姓名", B(CUE_PERSON)},
    {"电话", B(CUE_PHONE)},
    {"手机", B(CUE_PHONE) | B(CUE_PERSON)},
    {"号码", B(CUE_PHONE)},
    {"联系方式", B(CUE_PHONE)},
    {"tel", B(CUE_PHONE)},
    {"phone", B(CUE_PHONE)},
    {"mobile", B(CUE_PHONE) | B(CUE_PERSON)},
    /* numbers of things */
    {"订单", B(CUE_ORDER)},
    {"流水", B(CUE_ORDER)},
    {"编号", B(CUE_ORDER)},
    {"单号", B(CUE_ORDER)},
    {"工单", B(CUE_ORDER)},
    {"运单", B(CUE_ORDER)},
    {"快递", B(CUE_ORDER)},
    {"合同", B(CUE_ORDER)},
    {"票号", B(CUE_ORDER)},
    {"发票", B(CUE_ORDER)},
    {"凭证", B(CUE_ORDER)},
    {"批次", B(CUE_ORDER)},
    {"批号", B(CUE_ORDER)},
    {"序列号", B(CUE_ORDER)},
    {"设备", B(CUE_ORDER)},
    {"文号", B(CUE_ORDER)},
    {"案号", B(CUE_ORDER)},
    {"条码", B(CUE_ORDER)},
    {"条形码", B(CUE_ORDER)},
    {"型号", B(CUE_ORDER)},
    {"代码", B(CUE_ORDER)},
    {"编码", B(CUE_ORDER)},
    {"受理号", B(CUE_ORDER)},
    {"交易", B(CUE_ORDER)},
    {"金额", B(CUE_ORDER)},
    {"面积", B(CUE_ORDER)},
    {"数量", B(CUE_ORDER)},
    {"共计", B(CUE_ORDER)},
    {"户数", B(CUE_ORDER)},
    {"邮编", B(CUE_ORDER)},
    {"航班", B(CUE_ORDER)},
    {"isbn", B(CUE_ORDER)},
    {"地块", B(CUE_ORDER)},
    {"许可证", B(CUE_ORDER)},
    {"order", B(CUE_ORDER)},
    /* papers */
    {"身份证", B(CUE_ID) | B(CUE_PAPER)},
    {"身份号", B(CUE_ID)},
    {"证件", B(CUE_ID) | B(CUE_PAPER) | B(CUE_SOLDIER)},
    {"居民身份", B(CUE_ID)},
    {"idcard", B(CUE_ID)},
    {"id_card", B(CUE_ID)},
    {"id_number", B(CUE_ID)},
    {"信用代码", B(CUE_CREDIT)},
    {"营业执照", B(CUE_CREDIT)},
    {"税号", B(CUE_CREDIT)},
    {"纳税人识别号", B(CUE_CREDIT)},
    {"银行卡", B(CUE_CARD)},
    {"银行账", B(CUE_CARD)},
    {"卡号", B(CUE_CARD)},
    {"账号", B(CUE_CARD)},
    {"帐号", B(CUE_CARD)},
    {"账户", B(CUE_CARD)},
    {"工资卡", B(CUE_CARD)},
    {"社保卡", B(CUE_CARD)},
    {"储蓄卡", B(CUE_CARD)},
    {"信用卡", B(CUE_CARD)},
    {"卡里", B(CUE_CARD)},
    {"bank_card", B(CUE_CARD)},
    {"护照", B(CUE_PAPER)},
    {"passport", B(CUE_PAPER)},
    {"军官证", B(CUE_SOLDIER)},
    {"士官证", B(CUE_SOLDIER)},
    {"士兵证", B(CUE_SOLDIER)},
    {"军人证", B(CUE_SOLDIER)},
    {"警官证", B(CUE_SOLDIER)},
    {"文职", B(CUE_SOLDIER)},
    {"回乡证", B(CUE_HK)},
    {"港澳", B(CUE_HK)},
    {"通行证", B(CUE_HK)},
    {"来往内地", B(CUE_HK)},
    {"台胞证", B(CUE_TAIWAN)},
    {"来往大陆", B(CUE_TAIWAN)},
    {"台湾居民", B(CUE_TAIWAN)},
    {"居住证", B(CUE_PERMIT)},
    /* networks */
    {"ip", B(CUE_IP)},
    {"地址", B(CUE_IP) | B(CUE_MAC)},
    {"登录", B(CUE_IP)},
    {"访问", B(CUE_IP)},
    {"来源", B(CUE_IP)},
    {"来自", B(CUE_IP)},
    {"服务器", B(CUE_IP)},
    {"主机", B(CUE_IP)},
    {"网关", B(CUE_IP)},
    {"mac", B(CUE_MAC)},
    {"网卡", B(CUE_MAC)},
    {"物理地址", B(CUE_MAC)},
    {"设备", B(CUE_MAC)},
    {"版本", B(CUE_VERSION)},
    {"version", B(CUE_VERSION)},
    {"升级到", B(CUE_VERSION)},
    {"固件", B(CUE_VERSION)},
    {"第", B(CUE_VERSION)},
    /* births */
    {"出生", B(CUE_BIRTH)},
    {"生日", B(CUE_BIRTH)},
    {"生于", B(CUE_BIRTH)},
    {"诞辰", B(CUE_BIRTH)},
    {"birth", B(CUE_BIRTH)},
};
#define N_WORDS (sizeof words / sizeof words[0])

/* Words by the first two bytes of theirs: chains through one table, made once. */
static struct {
    uint8_t head[1024], next[N_WORDS]; /* number of the word + 1 */
    uint8_t len[N_WORDS];
} index_of;

_Static_assert(N_WORDS < 255, "numbers of words are bytes");

/* The third byte of a Han character tells most. */
static unsigned slot(const unsigned char *p)
{
    return (p[0] * 31u + p[1] * 7u + p[2] * 131u) & 1023;
}

void cues_init(void)
{
    for (size_t i = 0; i < N_WORDS; i++) {
        unsigned char first[3] = {0};
        index_of.len[i] = (uint8_t)strlen(words[i].word);
        memcpy(first, words[i].word, index_of.len[i] < 3 ? index_of.len[i] : 3);
        if (index_of.len[i] < 3)
            continue; /* looked for by themselves, below */
        unsigned at = slot(first);
        index_of.next[i] = index_of.head[at];
        index_of.head[at] = (uint8_t)(i + 1);
    }
}

static unsigned char low(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c | 32 : c);
}

/* Sorts of the longest word at p, and its length. */
static unsigned word_at(const unsigned char *p, size_t n, size_t *len)
{
    unsigned sorts = 0;
    *len = 0;
    if (n >= 2 && p[0] == 'i' && p[1] == 'p') {
        *len = 2;
        return B(CUE_IP);
    }
    if (n < 3)
        return 0;
    for (unsigned i = index_of.head[slot(p)]; i; i = index_of.next[i - 1]) {
        size_t size = index_of.len[i - 1];
        if (size <= n && size >= *len && memcmp(p, words[i - 1].word, size) == 0) {
            sorts = size > *len ? words[i - 1].sorts : sorts | words[i - 1].sorts;
            *len = size;
        }
    }
    return sorts;
}

/* Sentence ends; a line break right before the value may still part it from its label. */
static bool ends_sentence(struct str s, size_t at, size_t place)
{
    if (s.ptr[at] == '\n')
        return at + 3 < place;
    return s.len - at >= 3 &&
           (memcmp(s.ptr + at, "。", 3) == 0 || memcmp(s.ptr + at, "！", 3) == 0 ||
            memcmp(s.ptr + at, "？", 3) == 0);
}

static void look(const unsigned char *p, size_t n, int behind, struct cues *out)
{
    for (size_t i = 0; i < n;) {
        size_t len;
        unsigned sorts = word_at(p + i, n - i, &len);
        for (int s = 0; sorts; s++, sorts >>= 1)
            if (sorts & 1)
                out->at[s] = (int)(n - i - len) + behind;
        i += len ? len : 1;
    }
}

void cues_before(struct str text, size_t at, struct str context, struct cues *out)
{
    unsigned char window[WINDOW];
    size_t from = at > WINDOW ? utf8_floor(text, at - WINDOW + 4) : 0, n;
    for (int i = 0; i < CUES; i++)
        out->at[i] = CUE_FAR;
    for (size_t i = from; i < at; i++)
        if (ends_sentence(str_slice(text, 0, at), i, at))
            from = i + 1;
    if (from == 0 && context.len) {
        n = context.len < WINDOW ? context.len : WINDOW;
        for (size_t i = 0; i < n; i++)
            window[i] = low(context.ptr[context.len - n + i]);
        look(window, n, (int)at, out);
    }
    for (n = 0; from + n < at; n++)
        window[n] = low(text.ptr[from + n]);
    look(window, n, 0, out);
}

bool cues_after(struct str text, size_t at, enum cue sort, size_t most)
{
    unsigned char window[WINDOW];
    size_t n = 0, len;
    for (; at + n < text.len && n < most + 12 && n < WINDOW; n++)
        window[n] = low(text.ptr[at + n]);
    for (size_t i = 0; i < n && i <= most; i++)
        if (word_at(window + i, n - i, &len) & B(sort))
            return true;
    return false;
}

bool cues_unit(struct str text, size_t at)
{
    static const char *const units[] = {"元", "万", "亿", "吨", "米",   "平方", "人",
                                        "户", "件", "％", "㎡", "公里", "字"};
    while (at < text.len && text.ptr[at] == ' ')
        at++;
    struct str rest = str_from(text, at);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (str_starts(rest, str_c(units[i])))
            return true;
    return str_starts(rest, STR("%"));
}
