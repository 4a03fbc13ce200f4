#!/usr/bin/env python3
"""Make the binary files of the sample city (docx, xlsx, pdf, png) from the texts in source/.

Usage: python3 tools/sample/make.py [name ...]

With names, only those targets. Needs the Python standard library; for PDF and pictures also chromium
and pdftoppm (Debian: chromium, poppler-utils, fonts-noto-cjk). A docx and an xlsx come out the same byte
for byte on every run; a PDF carries the day it was printed, so make one only when its text changed.
"""
import csv
import html
import os
import re
import struct
import subprocess
import sys
import tempfile
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
SAMPLE = os.path.normpath(os.path.join(HERE, "..", "..", "sample"))

# target below sample/ : (maker, source below source/)
TARGETS = {
    "policy/rsj-talent-housing-2024.docx": ("docx", "rsj-talent-housing-2024.md"),
    "policy/zwj-business-2025.docx": ("docx", "zwj-business-2025.md"),
    "policy/zjj-old-estates-2021.docx": ("docx", "zjj-old-estates-2021.md"),
    "policy/sfj-legal-aid-2023.docx": ("docx", "sfj-legal-aid-2023.md"),
    "policy/zrj-real-estate-2024.pdf": ("pdf", "zrj-real-estate-2024.md"),
    "policy/cgj-gas-2023.pdf": ("pdf", "cgj-gas-2023.md"),
    "policy/jtj-bus-fare-2023.pdf": ("scan", "jtj-bus-fare-2023.md"),
    "internal/zjj-rental-review-2024.docx": ("docx", "zjj-rental-review-2024.md"),
    "internal/zfb-documents-2022.docx": ("docx", "zfb-documents-2022.md"),
    "notice/ybj-payment-2027.docx": ("docx", "ybj-payment-2027.md"),
    "notice/slj-outage-2026-11.pdf": ("scan", "slj-outage-2026-11.md"),
    "notice/zwj-phones.xlsx": ("xlsx", "phones.csv"),
    "notice/xfzd-ebike-poster.png": ("poster", "xfzd-ebike-poster.html"),
    "faq/faq-hotline.xlsx": ("xlsx", "faq-hotline.csv"),
}


def blocks(text):
    """Yields ('h1'|'h2'|'h3'|'p', words) and ('table', rows) in order."""
    rows = []
    for line in text.splitlines() + [""]:
        if line.startswith("|"):
            cells = [c.strip() for c in line.strip().strip("|").split("|")]
            if not all(re.fullmatch(r":?-+:?", c) for c in cells):
                rows.append(cells)
            continue
        if rows:
            yield "table", rows
            rows = []
        line = line.strip()
        if line:
            head = re.match(r"(#{1,3}) (.*)", line)
            yield (f"h{len(head[1])}", head[2]) if head else ("p", line)


W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
FIXED = (2026, 11, 21, 0, 0, 0)


def write_zip(path, parts):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
        for name, text in parts:
            z.writestr(zipfile.ZipInfo(name, FIXED), text, zipfile.ZIP_DEFLATED, 9)


def docx_paragraph(kind, words):
    style = {"h1": "Title", "h2": "Heading1", "h3": "Heading2", "p": "Normal"}[kind]
    return (f'<w:p><w:pPr><w:pStyle w:val="{style}"/></w:pPr>'
            f'<w:r><w:t xml:space="preserve">{html.escape(words)}</w:t></w:r></w:p>')


def docx_table(rows):
    edge = "".join(f'<w:{side} w:val="single" w:sz="4" w:space="0" w:color="000000"/>'
                   for side in ("top", "left", "bottom", "right", "insideH", "insideV"))
    out = f'<w:tbl><w:tblPr><w:tblW w:w="0" w:type="auto"/><w:tblBorders>{edge}</w:tblBorders></w:tblPr>'
    out += "<w:tblGrid>" + "<w:gridCol/>" * len(rows[0]) + "</w:tblGrid>"
    for i, row in enumerate(rows):
        head = "<w:trPr><w:tblHeader/></w:trPr>" if i == 0 else ""
        out += f"<w:tr>{head}" + "".join(
            f"<w:tc><w:tcPr/>{docx_paragraph('p', cell)}</w:tc>" for cell in row) + "</w:tr>"
    return out + "</w:tbl>" + "<w:p/>"


def docx_style(name, label, size, align, indent):
    return (f'<w:style w:type="paragraph" w:styleId="{name}"><w:name w:val="{label}"/>'
            f'<w:pPr><w:spacing w:line="560" w:lineRule="exact"/><w:ind w:firstLine="{indent}"/>'
            f'<w:jc w:val="{align}"/></w:pPr><w:rPr><w:rFonts w:eastAsia="仿宋"/><w:sz w:val="{size}"/></w:rPr></w:style>')


def make_docx(source, target):
    body = "".join(docx_table(what) if kind == "table" else docx_paragraph(kind, what)
                   for kind, what in blocks(read(source)))
    xml = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    types = (f'{xml}<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
             '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
             '<Default Extension="xml" ContentType="application/xml"/>'
             '<Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/>'
             '<Override PartName="/word/styles.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.styles+xml"/>'
             "</Types>")
    rel = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    pkg = "http://schemas.openxmlformats.org/package/2006/relationships"
    rels = (f'{xml}<Relationships xmlns="{pkg}"><Relationship Id="rId1" Type="{rel}/officeDocument" '
            'Target="word/document.xml"/></Relationships>')
    doc_rels = (f'{xml}<Relationships xmlns="{pkg}"><Relationship Id="rId1" Type="{rel}/styles" '
                'Target="styles.xml"/></Relationships>')
    styles = (f'{xml}<w:styles xmlns:w="{W}">' + docx_style("Normal", "Normal", 32, "both", 640)
              + docx_style("Title", "Title", 44, "center", 0)
              + docx_style("Heading1", "heading 1", 32, "left", 640)
              + docx_style("Heading2", "heading 2", 32, "left", 640) + "</w:styles>")
    page = '<w:sectPr><w:pgSz w:w="11906" w:h="16838"/><w:pgMar w:top="2098" w:right="1474" w:bottom="1984" w:left="1588"/></w:sectPr>'
    write_zip(target, [
        ("[Content_Types].xml", types), ("_rels/.rels", rels), ("word/_rels/document.xml.rels", doc_rels),
        ("word/styles.xml", styles),
        ("word/document.xml", f'{xml}<w:document xmlns:w="{W}"><w:body>{body}{page}</w:body></w:document>')])


def column_name(i):
    return chr(65 + i) if i < 26 else column_name(i // 26 - 1) + chr(65 + i % 26)


def make_xlsx(source, target):
    rows = list(csv.reader(read(source).splitlines()))
    xml = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    rel = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    pkg = "http://schemas.openxmlformats.org/package/2006/relationships"
    strings = {}
    data = ""
    for r, row in enumerate(rows, 1):
        cells = "".join(f'<c r="{column_name(c)}{r}" t="s"><v>{strings.setdefault(v, len(strings))}</v></c>'
                        for c, v in enumerate(row))
        data += f'<row r="{r}">{cells}</row>'
    shared = "".join(f'<si><t xml:space="preserve">{html.escape(s)}</t></si>' for s in strings)
    write_zip(target, [
        ("[Content_Types].xml",
         f'{xml}<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
         '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
         '<Default Extension="xml" ContentType="application/xml"/>'
         '<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
         '<Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>'
         '<Override PartName="/xl/sharedStrings.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"/>'
         "</Types>"),
        ("_rels/.rels", f'{xml}<Relationships xmlns="{pkg}"><Relationship Id="rId1" Type="{rel}/officeDocument" Target="xl/workbook.xml"/></Relationships>'),
        ("xl/workbook.xml", f'{xml}<workbook xmlns="{main}" xmlns:r="{rel}"><sheets><sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets></workbook>'),
        ("xl/_rels/workbook.xml.rels",
         f'{xml}<Relationships xmlns="{pkg}"><Relationship Id="rId1" Type="{rel}/worksheet" Target="worksheets/sheet1.xml"/>'
         f'<Relationship Id="rId2" Type="{rel}/sharedStrings" Target="sharedStrings.xml"/></Relationships>'),
        ("xl/worksheets/sheet1.xml", f'{xml}<worksheet xmlns="{main}"><sheetData>{data}</sheetData></worksheet>'),
        ("xl/sharedStrings.xml", f'{xml}<sst xmlns="{main}" uniqueCount="{len(strings)}">{shared}</sst>')])


PAGE_CSS = """
@page { size: A4; margin: 32mm 24mm 28mm 26mm }
body { font: 15.5pt/1.75 'Noto Serif CJK SC', serif; margin: 0 }
h1 { font-size: 20pt; text-align: center; line-height: 1.4; margin: 0 0 10mm }
h2 { font-size: 16pt; text-align: center; margin: 6mm 0 3mm }
h3 { font-size: 15.5pt; margin: 2mm 0 }
p { text-indent: 2em; margin: 0 }
table { border-collapse: collapse; margin: 4mm auto; font-size: 12pt; line-height: 1.4 }
td, th { border: 1px solid #000; padding: 1.5mm 3mm }
"""


def as_html(source, extra):
    out = [f"<!DOCTYPE html><meta charset=utf-8><style>{PAGE_CSS}{extra}</style>"]
    for kind, what in blocks(read(source)):
        if kind == "table":
            out.append("<table>" + "".join(
                "<tr>" + "".join(f"<{'td' if i else 'th'}>{html.escape(c)}</{'td' if i else 'th'}>" for c in row) + "</tr>"
                for i, row in enumerate(what)) + "</table>")
        else:
            out.append(f"<{kind}>{html.escape(what)}</{kind}>")
    return "\n".join(out)


def chromium(page, *args):
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-quic",
                        "--disable-background-networking", "--disable-component-update", "--disable-sync",
                        "--no-pdf-header-footer", f"--user-data-dir={profile}", *args, f"file://{page}"],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120)


def make_pdf(source, target, extra=""):
    with tempfile.TemporaryDirectory() as work:
        page = os.path.join(work, "page.html")
        with open(page, "w", encoding="utf-8") as f:
            f.write(as_html(source, extra))
        chromium(page, f"--print-to-pdf={target}")


def jpeg_size(data):
    i = 2
    while True:
        marker, length = data[i + 1], struct.unpack(">H", data[i + 2:i + 4])[0]
        if 0xC0 <= marker <= 0xC2:
            height, width = struct.unpack(">HH", data[i + 5:i + 9])
            return width, height, data[i + 9]
        i += 2 + length


def pictures_to_pdf(pictures, target):
    """A PDF that holds one grey JPEG a page and no text at all, as a scanner makes it."""
    objects = ["<< /Type /Catalog /Pages 2 0 R >>".encode(), b""]
    pages = []
    for data in pictures:
        width, height, parts = jpeg_size(data)
        colour = "/DeviceGray" if parts == 1 else "/DeviceRGB"
        first = len(objects) + 1
        draw = b"q 595 0 0 842 0 0 cm /I Do Q"
        objects.append(f"<< /Type /XObject /Subtype /Image /Width {width} /Height {height} /ColorSpace {colour} "
                       f"/BitsPerComponent 8 /Filter /DCTDecode /Length {len(data)} >>\nstream\n".encode()
                       + data + b"\nendstream")
        objects.append(f"<< /Length {len(draw)} >>\nstream\n".encode() + draw + b"\nendstream")
        objects.append(f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {first + 1} 0 R "
                       f"/Resources << /XObject << /I {first} 0 R >> >> >>".encode())
        pages.append(f"{first + 2} 0 R")
    objects[1] = f"<< /Type /Pages /Count {len(pages)} /Kids [{' '.join(pages)}] >>".encode()
    out, at = b"%PDF-1.4\n", []
    for i, body in enumerate(objects, 1):
        at.append(len(out))
        out += f"{i} 0 obj\n".encode() + body + b"\nendobj\n"
    table = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    out += b"".join(f"{a:010d} 00000 n \n".encode() for a in at)
    out += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n".encode()
    with open(target, "wb") as f:
        f.write(out)


def make_scan(source, target):
    """Printed, laid a little askew on the glass, and scanned in grey at 150 dpi."""
    with tempfile.TemporaryDirectory() as work:
        printed = os.path.join(work, "printed.pdf")
        make_pdf(source, printed, "body { transform: rotate(.25deg); color: #222 }")
        subprocess.run(["pdftoppm", "-r", "150", "-gray", "-jpeg", "-jpegopt", "quality=55", printed,
                        os.path.join(work, "page")], check=True)
        names = sorted(n for n in os.listdir(work) if n.endswith(".jpg"))
        pictures_to_pdf([open(os.path.join(work, n), "rb").read() for n in names], target)


def make_poster(source, target):
    chromium(os.path.join(HERE, "source", source), f"--screenshot={target}", "--window-size=900,1500", "--hide-scrollbars")


def read(source):
    with open(os.path.join(HERE, "source", source), encoding="utf-8") as f:
        return f.read()


MAKERS = {"docx": make_docx, "xlsx": make_xlsx, "pdf": make_pdf, "scan": make_scan, "poster": make_poster}


def main():
    for name in sys.argv[1:] or TARGETS:
        kind, source = TARGETS[name]
        target = os.path.join(SAMPLE, name)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        MAKERS[kind](source, target)
        print(f"{name}  {os.path.getsize(target)} bytes")


if __name__ == "__main__":
    main()
