#!/usr/bin/env python3
"""Examples for the shipped classifiers, from the real data sets: bench/make_learn.py FOLDER.

Writes FOLDER/<model>_<part>.jsonl (text, label) for `yicheng learn`:
  rude_train, rude_held, rude_test         COLDataset: train less a tenth; that tenth; its dev part (the test
                                           part with labels by hand is not in the snapshot). Formal passages
                                           stand in the first two as civil; rude_formal are such passages of
                                           other documents, all civil
  pairs                                    the whole texts of the train part: which characters stand together
  quality_train, quality_held, quality_test   passages of laws, service guides, novels and replies to citizens,
                                           parted by document; half of them spoilt
  quality_other, quality_exam              the same of sources that training never saw: encyclopedia passages;
                                           questions of exams with their blanks and broken lines
  quality_<way>                            of quality_other only those spoilt in one way, with as many whole ones
The same data give the same bytes: all chance comes from hashes.
"""
import csv
import hashlib
import json
import os
import pathlib
import random
import re
import sys
import xml.etree.ElementTree as ET
import zipfile

DATA = pathlib.Path(os.environ.get("YICHENG_DATASETS", pathlib.Path(__file__).resolve().parent.parent / "../shared/data"))


def number(text, salt=""):
    return int.from_bytes(hashlib.sha256((salt + text).encode()).digest()[:8], "big")


def write(folder, name, rows):
    with open(folder / f"{name}.jsonl", "w", encoding="utf-8") as out:
        for text, label in rows:
            out.write(json.dumps({"text": text, "label": label}, ensure_ascii=False) + "\n")
    print(f"{name}: {len(rows)}")


# ---- rude ----

def rude(folder):
    label = {"0": "civil", "1": "rude"}

    def read(part):
        with open(DATA / "coldataset" / f"{part}.csv", encoding="utf-8-sig") as f:
            return [(r["TEXT"], label[r["label"]]) for r in csv.DictReader(f)]

    test = read("dev")
    seen = {t for t, _ in test}
    train = [r for r in read("train") if r[0] not in seen]  # 30 texts stand in both
    # Comments alone would teach that whatever is not chat is rude: formal writing stands beside them.
    calm = {"train": [], "held": [], "test": []}
    for name, text in documents():
        part = ("test", "held")[number(name, "part") % 10] if number(name, "part") % 10 < 2 else "train"
        rng = random.Random(number(name, "calm"))
        for p in list(passages(text, rng))[:8]:
            size = rng.choice((20, 60, 120))
            at = rng.randrange(0, max(1, len(p) - size))
            if number(p, "calm") % 3 == 0:
                calm[part].append((p[at:at + size], "civil"))
    write(folder, "rude_train", [r for r in train if number(r[0]) % 10] + calm["train"])
    write(folder, "rude_held", [r for r in train if number(r[0]) % 10 == 0] + calm["held"])
    write(folder, "rude_test", test)
    write(folder, "rude_formal", calm["test"])


# ---- quality: whole passages ----

def passages(text, rng):
    """Pieces of 40 to 600 characters, at line ends."""
    want, have = rng.choice((60, 120, 250, 500)), ""
    for line in text.split("\n"):
        line = line.strip()
        if not line or line.startswith("<!--"):
            continue
        have += ("\n" if have else "") + line
        if len(have) >= want:
            yield have[:600]
            want, have = rng.choice((60, 120, 250, 500)), ""
    if len(have) >= 40:
        yield have[:600]


def sheet(path):
    ns = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    with zipfile.ZipFile(path) as z:
        shared = ["".join(t.text or "" for t in si.iter(ns + "t")) for si in ET.fromstring(z.read("xl/sharedStrings.xml"))]
        name = next(n for n in z.namelist() if n.startswith("xl/worksheets/sheet"))
        for row in ET.fromstring(z.read(name)).iter(ns + "row"):
            out = {}
            for c in row.iter(ns + "c"):
                v = c.find(ns + "v")
                if v is not None:
                    out[re.match("[A-Z]+", c.get("r")).group()] = shared[int(v.text)] if c.get("t") == "s" else v.text
            yield out


def documents():
    """(name, text) of what is taken as well written."""
    laws = sorted((DATA / "laws").rglob("*.md"))
    for path in laws:
        if number(path.name) % 2 == 0 and path.name != "ORIGIN.md":
            yield path.name, re.sub(r"^#+ *", "", path.read_text(encoding="utf-8"), flags=re.M)
    for path in sorted((DATA / "prose").glob("*.txt")):
        text = path.read_text(encoding="utf-8")
        for i in range(0, len(text), 6000):  # a chapter or so
            if number(f"{path.name}{i}") % 2 == 0:
                yield f"{path.name}{i}", text[i:i + 6000].replace("　", "")
    with open(DATA / "service-guides/data/policy.json", encoding="utf-8") as f:
        for line in f:
            r = json.loads(line)
            parts = [str(r.get(k, "")) for k in ("accept_standard", "handle_location", "material_intro", "handle_time")]
            yield "guide" + r["TASK_NAME"], "\n".join(p for p in parts if len(p) > 30)
    for i, r in enumerate(sheet(DATA / "citizen-messages/附件4.xlsx")):
        for column in "EF":
            yield f"reply{i}", re.sub(r"\s+", " ", r.get(column, "")).strip()
    for path in sorted((DATA / "sft-dpo-zh/alpaca-chinese").glob("*.json")):
        for i, r in enumerate(json.loads(path.read_text(encoding="utf-8"))):
            text = r.get("zh_output") or r.get("output") or ""
            if len(re.findall("[一-龥]", text)) > 0.6 * len(text) > 24:
                yield f"{path.name}{i}", text
    with open(DATA / "lecoqa/queries.train.json", encoding="utf-8") as f:
        for r in json.load(f):
            yield r["问题"], f"{r['问题']}\n{r['答案文本'] or ''}"


def other_documents():
    for path in (DATA / "cmrc2018/cmrc2018_trial.json", DATA / "expmrc/expmrc-cmrc2018-dev.json"):
        for d in json.loads(path.read_text(encoding="utf-8"))["data"] if path.exists() else []:
            for p in d.get("paragraphs", [d]):
                yield p.get("id", p.get("context", "")[:20]), p.get("context", "")
    for path in sorted((DATA / "gaokao-bench/Data").rglob("*.json")):
        if "Chinese" in path.name or "History" in path.name or "Political" in path.name:
            for q in json.loads(path.read_text(encoding="utf-8")).get("example", []):
                yield "exam" + q["question"][:30], re.sub(r"[A-D][．.].*", "", q["question"])


# ---- quality: ways to spoil one ----

MENUS = ("首页 新闻中心 政务公开 办事服务 互动交流 走进本市 政策文件 领导信箱 机构职能 网站地图 联系我们 关于我们 加入收藏 设为首页 "
         "登录 注册 手机版 English 无障碍浏览 上一篇 下一篇 返回顶部 打印本页 关闭窗口 更多 分享到 微信 微博 客户端下载 友情链接 "
         "版权所有 技术支持 隐私声明 相关阅读 热门推荐 猜你喜欢 点击查看 展开全文 广告 字体 大 中 小 当前位置 浏览次数 来源 责任编辑").split()
ADS = ("加微信{n}，低价出售", "专业办理{w}，{n}", "代开{w}，联系QQ{n}", "【限时特惠】{w}只需{p}元！！！", "点击链接领取红包www.{a}.com",
       "{w}包过，不过退款，电话{n}", "日赚{p}元，在家就能做的{w}", "无抵押贷款当天放款{n}", "正品{w}厂家直销，批发{p}元起，量大从优", "免费试用{w}>>>{a}.cn",
       "恭喜您中奖{p}元，请回复{n}领取", "澳门{w}上线送彩金{p}", "高仿{w}一比一复刻，微信{n}", "快来抢购！！！{w}只剩{p}件★★★")


def words_of(text, rng):
    out, i = [], 0
    while i < len(text):
        n = rng.choice((1, 2, 2, 3))
        out.append(text[i:i + n])
        i += n
    return out


def shuffled_words(text, rng):
    pieces = words_of(text, rng)
    rng.shuffle(pieces)
    return "".join(pieces)


def shuffled_characters(text, rng):
    chars, out = list(text), []
    for i in range(0, len(chars), 8):
        part = chars[i:i + 8]
        rng.shuffle(part)
        out += part
    return "".join(out)


def noise(text, rng):
    """Characters lost, doubled or read wrongly, as by a poor scan."""
    share, out = rng.choice((0.1, 0.2, 0.3)), []
    for c in text:
        if rng.random() >= share:
            out.append(c)
        else:
            out.append(rng.choice(("", c + c, rng.choice("囗冂丨丶乂□■~^|『·'`_"), chr(rng.randrange(0x4E00, 0x9FA5)))))
    return "".join(out)


def misread(text, rng):
    """UTF-8 read as something else."""
    raw = text.encode()[: rng.choice((120, 300, 600))]
    return raw.decode(rng.choice(("latin-1", "gb18030")), errors="replace").replace("\x00", "")


def menu(text, rng):
    sep = rng.choice((" | ", " ", "\n", " > ", "　"))
    return sep.join(rng.choice(MENUS) + (rng.choice(("", "", f"({rng.randrange(999)})"))) for _ in range(rng.randrange(12, 60)))


def listing(text, rng):
    """Nouns without sentences: tags, search words."""
    runs = [w for w in re.findall(r"[一-龥]{2,}", text)] or ["资料"]
    picked = [rng.choice(runs)[:rng.choice((2, 3, 4))] for _ in range(rng.randrange(10, 60))]
    return rng.choice(("，", " ", "|", "、", ",")).join(picked)


def advert(text, rng):
    runs = re.findall(r"[一-龥]{2,4}", text) or ["产品"]
    lines = []
    for _ in range(rng.randrange(1, 8)):
        lines.append(rng.choice(ADS).format(n=rng.randrange(10 ** 7, 10 ** 11), w=rng.choice(runs), p=rng.randrange(9, 9999),
                                            a="".join(rng.choice("abcdefgkmxyz0123456789") for _ in range(6))))
    return rng.choice(("\n", " ", "")).join(lines)


def repeated(text, rng):
    piece = text[:rng.choice((2, 4, 8, 15, 25))]
    return (piece + rng.choice(("", "，", "\n"))) * rng.randrange(6, 25)


def table_dump(text, rng):
    """Numbers and codes of a table whose heads are lost."""
    return rng.choice((" ", "\n", "\t")).join(
        rng.choice((str(rng.randrange(10 ** rng.randrange(1, 9))), f"{rng.random() * 1000:.2f}", "-", "0", "是", "否", "null",
                    f"20{rng.randrange(10, 26)}-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}",
                    "".join(rng.choice("ABCDEF0123456789") for _ in range(rng.randrange(4, 16))))) for _ in range(rng.randrange(20, 120)))


WAYS = (shuffled_words, shuffled_characters, noise, misread, menu, listing, advert, repeated, table_dump)


def rows_of(docs, most_of_one):
    rows = {}
    for name, text in docs:
        rng = random.Random(number(name))
        part = "test" if number(name, "part") % 10 == 0 else "held" if number(name, "part") % 10 == 1 else "train"
        for i, p in enumerate(passages(text, rng)):
            if i == most_of_one:
                break
            if rng.random() < 0.4:  # a whole text may begin and end anywhere
                p = p[rng.randrange(0, 20):len(p) - rng.randrange(0, len(p) // 3)].strip()
            if number(p) % 2:
                rows.setdefault(part, []).append((p, "whole", "whole"))
            else:
                way = WAYS[rng.randrange(len(WAYS))]
                spoilt = way(p, rng).strip()
                if spoilt:
                    rows.setdefault(part, []).append((spoilt, "spoilt", way.__name__))
    return rows


def quality(folder):
    rows = rows_of((d for d in documents() if number(d[0], "pairs") % 2 == 0), 24)
    # Not of documents that the classifier learns from: there every pair would be known.
    plain = [t for n, t in documents() if number(n, "pairs") % 2]
    with open(DATA / "tnews/unlabeled.json", encoding="utf-8") as f:
        plain += [json.loads(line)["sentence"] for line in f]
    with open(DATA / "coldataset/train.csv", encoding="utf-8-sig") as f:
        plain += [r["TEXT"] for r in csv.DictReader(f)]
    write(folder, "pairs", [(t, "whole") for t in plain])
    for part in ("train", "held", "test"):
        write(folder, f"quality_{part}", [r[:2] for r in rows[part]])
    other = [r for part in rows_of((d for d in other_documents() if not d[0].startswith("exam")), 12).values() for r in part]
    exam = [r for part in rows_of((d for d in other_documents() if d[0].startswith("exam")), 12).values() for r in part]
    write(folder, "quality_other", [r[:2] for r in other])
    write(folder, "quality_exam", [r[:2] for r in exam])
    whole = [r for r in other if r[1] == "whole"]
    for way in WAYS:
        spoilt = [r for r in other if r[2] == way.__name__]
        write(folder, f"quality_{way.__name__}", [r[:2] for r in whole[:len(spoilt)] + spoilt])


folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
rude(folder)
quality(folder)
