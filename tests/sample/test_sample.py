#!/usr/bin/env python3
"""The sample city agrees with itself: manifest, texts, guides, telephone numbers, question sets and made files."""
import datetime
import html
import importlib.util
import json
import pathlib
import re
import tempfile
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SAMPLE, SOURCE = ROOT / "sample", ROOT / "tools" / "sample" / "source"
CITY = json.loads((SAMPLE / "city.json").read_text(encoding="utf-8"))
MANIFEST = json.loads((SAMPLE / "manifest.json").read_text(encoding="utf-8"))
FILES = [f for base in MANIFEST["knowledge_bases"] for f in base["files"]]
ARTICLE = re.compile(r"^第([零一二三四五六七八九十]+)条\s", re.M)


def read(path):
    data = path.read_bytes()
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("gb18030")
    if path.suffix == ".html":
        text = re.sub(r"<(script|style).*?</\1>", "", text, flags=re.S)
        text = text.replace("<h1>", "# ").replace("</td>", " | ").replace("</th>", " | ")
        text = html.unescape(re.sub(r"<[^>]+>", "", text))
    return text


def texts():
    """File stem -> text, for everything public that is text here or was made from a text."""
    paths = [p for folder in ("policy", "notice", "guide", "faq") for p in (SAMPLE / folder).iterdir()]
    paths += [p for p in SOURCE.iterdir() if not list((SAMPLE / "internal").glob(p.stem + ".*"))]
    return {p.stem: read(p) for p in paths if p.suffix in (".md", ".txt", ".html", ".csv", ".jsonl")}


TEXTS = texts()


def title(text):
    head = re.search(r"^# (.*)", text, re.M)
    return head[1] if head else next(line.strip() for line in text.splitlines() if line.strip())


def articles(text):
    """第X条 -> its words."""
    marks = list(ARTICLE.finditer(text)) + [None]
    return {f"第{a[1]}条": text[a.start():b.start() if b else len(text)] for a, b in zip(marks, marks[1:])}


def numeral(n):
    digits = "零一二三四五六七八九"
    tens, ones = divmod(n, 10)
    return ("" if tens < 2 else digits[tens]) + ("十" if tens else "") + (digits[ones] if ones else "")


def lines(name):
    return [json.loads(line) for line in (ROOT / "tests" / "data" / name).read_text(encoding="utf-8").splitlines()]


def the_manifest_lists_every_file_once():
    listed = [f["path"] for f in FILES]
    there = [f"{b['name']}/{p.name}" for b in MANIFEST["knowledge_bases"] for p in (SAMPLE / b["name"]).iterdir()]
    return [f"{p}: listed twice" for p in set(listed) if listed.count(p) > 1] + \
        [f"{p}: only in one of manifest and folder" for p in set(listed) ^ set(there)]


def data_sets_have_their_files_and_papers():
    bad = []
    for one in MANIFEST["datasets"]:
        bad += [f"{one['dataset']}: no file {f}" for f in one["files"] if not (SAMPLE / f).exists()]
        bad += [f"{one['dataset']}: no {key}" for key in ("licence", "authority", "owner", "industry", "grade") if not one["collection"].get(key)]
    used = {f for one in MANIFEST["datasets"] for f in one["files"]}
    return bad + [f"{p.name}: in no data set" for p in (SAMPLE / "data").iterdir() if f"data/{p.name}" not in used]


def pipelines_work_on_data_sets_that_are_there():
    there, bad = {one["dataset"] for one in MANIFEST["datasets"]}, []
    for one in MANIFEST["pipelines"]:
        spec = one["spec"]
        bad += [f"{one['name']}: no data set {i['dataset']}" for i in [spec["input"]] if i["dataset"] not in there]
        there.add(spec["output"]["dataset"])
    return bad


def the_manifest_uses_known_departments_and_dates():
    codes = {d["code"] for d in CITY["departments"]}
    bad = [f"{f['path']}: no department {f['department']}" for f in FILES if f.get("department") not in codes | {None}]
    for f in FILES:
        for key in ("issued", "effective", "expires"):
            try:
                datetime.date.fromisoformat(f.get(key, "2026-01-01"))
            except ValueError:
                bad.append(f"{f['path']}: {key} is no date")
    return bad


def articles_are_numbered_in_order():
    bad = []
    for stem, text in TEXTS.items():
        found = ARTICLE.findall(text)
        bad += [f"{stem}: 第{is_}条 stands where 第{numeral(i)}条 should" for i, is_ in enumerate(found, 1) if is_ != numeral(i)]
    return bad


def telephone_numbers_are_those_of_the_city():
    known = set(re.findall(r"0617-\d+", json.dumps(CITY)))
    bad = []
    for stem, text in TEXTS.items():
        if not any(word in stem for word in ("wjw-flu", "jyj-enrolment")):  # these print numbers of branches
            bad += [f"{stem}: {n} is nobody's number" for n in set(re.findall(r"0617-\d+", text)) - known]
    return bad


def guides_have_one_shape():
    guides = [json.loads(line) for line in (SAMPLE / "guide" / "guides.jsonl").read_text(encoding="utf-8").splitlines()]
    names = [g["事项名称"] for g in guides]
    bureaus = {d["name"] for d in CITY["departments"]}
    return [f"{n}: twice" for n in set(names) if names.count(n) > 1] + \
        [f"{g['事项名称']}: other fields than the first" for g in guides if list(g) != list(guides[0])] + \
        [f"{g['事项名称']}: no bureau {g['实施主体']}" for g in guides if g["实施主体"] not in bureaus]


def golden(gold, facts, name):
    if "contains" in gold:
        holders = [t for t in TEXTS.values() if gold["contains"] in t]
    else:
        of_title = [t for t in TEXTS.values() if title(t) == gold["title"]]
        holders = [a for t in of_title for a in [articles(t).get(gold["article"])] if a]
    if any(all(fact in re.sub(r"\s+", " ", h) for fact in facts) for h in holders):
        return []
    return [f"{name}: {gold} does not hold {facts}" if holders else f"{name}: nothing is {gold}"]


def every_gold_passage_holds_its_facts():
    bad = []
    for name in ("city_answerable.jsonl", "city_as_of.jsonl", "city_followups.jsonl"):
        for line in lines(name):
            for turn in line.get("turns", [line]):
                bad += golden(turn["gold"][0], turn["answer_contains"], turn["question"])
    return bad


def question_sets_are_large_split_and_without_doubles():
    bad = []
    for name, least in (("city_answerable.jsonl", 220), ("refuse.jsonl", 220), ("city_followups.jsonl", 25)):
        all_lines = lines(name)
        asked = [json.dumps(x.get("turns") or x["question"], ensure_ascii=False) for x in all_lines]
        dev = sum(x["split"] == "dev" for x in all_lines)
        if len(asked) < least or len(set(asked)) < len(asked) or abs(2 * dev - len(asked)) > 1:
            bad.append(f"{name}: {len(asked)} questions, {len(set(asked))} different, {dev} for dev")
    return bad


def made_files_are_made_from_their_texts():
    spec = importlib.util.spec_from_file_location("make", ROOT / "tools" / "sample" / "make.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    bad = [f"{name} is not there" for name in make.TARGETS if not (SAMPLE / name).exists()]
    for name, (kind, source) in make.TARGETS.items():
        if kind not in ("docx", "xlsx") or bad:
            continue
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "made"
            make.MAKERS[kind](source, path)
            with zipfile.ZipFile(path) as a, zipfile.ZipFile(SAMPLE / name) as b:
                if {n: a.read(n) for n in a.namelist()} != {n: b.read(n) for n in b.namelist()}:
                    bad.append(f"{name}: run tools/sample/make.py {name}")
    return bad


TESTS = [the_manifest_lists_every_file_once, data_sets_have_their_files_and_papers, pipelines_work_on_data_sets_that_are_there,
         the_manifest_uses_known_departments_and_dates, articles_are_numbered_in_order,
         telephone_numbers_are_those_of_the_city, guides_have_one_shape, every_gold_passage_holds_its_facts,
         question_sets_are_large_split_and_without_doubles, made_files_are_made_from_their_texts]

print(f"1..{len(TESTS)}")
failed = 0
for i, test in enumerate(TESTS, 1):
    wrong = test()
    failed += bool(wrong)
    print(f"{'not ok' if wrong else 'ok'} {i} - {test.__name__}")
    for what in wrong[:20]:
        print(f"# {what}")
raise SystemExit(bool(failed))
