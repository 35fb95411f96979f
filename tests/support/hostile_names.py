"""Names of model files that break pages which take them for anything but text."""

RIGHT_TO_LEFT = "\u202egnp.tp"
NAMES = (
    "<img src=x onerror=document.title='executed'>.pt",
    "<script>document.title='executed'<%2Fscript>.pt",
    "\"><svg onload=document.title='executed'>.pt",
    "quotes ' \" ` ${document.title='executed'}.pt",
    "a b&c=d?e#f+g;h.pt",
    "%2F..%2F%00.pt",
    "deep/er/{{7*7}}.pt",
    "javascript:document.title='executed'.pt",
    f"{RIGHT_TO_LEFT}.pt",
    "משקל.pt",
    "日本語 é 🙂.pt",
    f"{'long' * 40}.pt",
)
