"""The rules by which SQL and Lua are changed, by their words. Comments and quoted texts stay as they are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from agentkeep_conformance.mutate.changes import Change


@dataclass(frozen=True)
class _Rule:
    name: str
    pattern: re.Pattern[str]
    text: str
    """What comes in the place of the pattern's first group, or of all of it."""


def _rules(*rules: tuple[str, str, str]) -> list[_Rule]:
    return [_Rule(name, re.compile(pattern, re.MULTILINE), text) for name, pattern, text in rules]


_COMMENT_OR_TEXT = {
    "sql": re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'", re.DOTALL),
    "lua": re.compile(r"--[^\n]*|'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\""),
}
_NAMED = {
    "sql": re.compile(r"^-- name: (\w+)|^CREATE (?:OR REPLACE )?(?:FUNCTION|PROCEDURE) ([\w{}.]+)", re.MULTILINE),
    "lua": re.compile(r"^(?:local )?function ([\w.]+)|^(?:local )?([\w.]+) = function", re.MULTILINE),
}
_WHOLE_LINE = r"^[ \t]*{}.*$"

_SQL = _rules(
    ("compare", r"(?<![<>:=!@|-])<(?![=>@])", "<="),
    ("compare", r"(?<![<>:=!@|-])>(?![=>])", ">="),
    ("compare", r"<=", "<"),
    ("compare", r"(?<!=)>=", ">"),
    ("compare", r"<>", "="),
    ("compare", r"(?:\b(?:WHERE|AND|OR|ON|IF|WHEN)\b[^\n=]*?[^<>:=!\s]) ?(=) ?(?=[^=])", "<>"),
    ("compare", r"\bIS DISTINCT FROM\b", "IS NOT DISTINCT FROM"),
    ("compare", r"\bIS NOT DISTINCT FROM\b", "IS DISTINCT FROM"),
    ("compare", r"\bIS NULL\b", "IS NOT NULL"),
    ("compare", r"\bIS NOT NULL\b", "IS NULL"),
    ("operand", r"\bAND\b", "OR"),
    ("operand", r"\bOR\b", "AND"),
    ("operand", r"\bAND (?:[\w.]+ ?(?:=|<>|<|>|<=|>=) ?[:\w.]+)(?= |;|$|\))", ""),
    ("operand", r"^[ \t]*AND [^()\n]*$", ""),
    ("not", r"\bNOT (?!NULL|EXISTS \{|DISTINCT)", ""),
    ("order", r" DESC\b", " ASC"),
    ("order", r"\bASC\b", "DESC"),
    ("order", r"\bORDER BY [\w.]+(?=\)|;| LIMIT|$)(?! DESC)", ""),
    ("limit", r"\bLIMIT [:\w]+", ""),
    ("lock", r" FOR UPDATE\b(?: SKIP LOCKED)?", ""),
    ("twin", r"\bleast\(", "greatest("),
    ("twin", r"\bgreatest\(", "least("),
    ("twin", r"\bmin\(", "max("),
    ("twin", r"\bmax\(", "min("),
    ("distinct", r"\bDISTINCT (?!FROM|ON)", ""),
    ("calculate", r" \+ ", " - "),
    ("calculate", r" - ", " + "),
    ("number", r"(?<![\w.$:?'-])0\b(?!\.)", "1"),
    ("number", r"(?<![\w.$:?'-])1\b(?!\.|')", "2"),
    ("condition", r"\b(?:ELS)?IF (?!NOT\b|EXISTS)(.+)(?= THEN)", "NOT (\\1)"),
    ("statement", _WHOLE_LINE.format(r"PERFORM [^\n]*;"), "NULL;"),
    ("statement", _WHOLE_LINE.format(r"[\w.]+ := [^\n]*;"), "NULL;"),
    ("statement", _WHOLE_LINE.format(r"[\w]+ = [^\n()]*,"), ""),
    ("statement", _WHOLE_LINE.format(r"RETURN;"), "NULL;"),
    ("statement", _WHOLE_LINE.format(r"RAISE [^\n]*;"), "NULL;"),
)
_LUA = _rules(
    ("compare", r"(?<![<>~=])<(?!=)", "<="),
    ("compare", r"(?<![<>~=])>(?!=)", ">="),
    ("compare", r"<=", "<"),
    ("compare", r">=", ">"),
    ("compare", r"==", "~="),
    ("compare", r"~=", "=="),
    ("operand", r"\band\b", "or"),
    ("operand", r"\bor\b", "and"),
    ("operand", r" and (?:not )?[\w.]+(?: (?:[=~<>]=|<|>) [\w.'\[\]]+)?(?= then| and|\)|$)", ""),
    ("not", r"\bnot ", ""),
    ("boolean", r"\btrue\b", "false"),
    ("boolean", r"\bfalse\b", "true"),
    ("calculate", r" \+ ", " - "),
    ("calculate", r" - ", " + "),
    ("twin", r"math\.min\(", "math.max("),
    ("twin", r"math\.max\(", "math.min("),
    ("number", r"(?<![\w.'\[-])0\b(?!\.)", "1"),
    ("number", r"(?<![\w.'\[-])1\b(?!\.)", "2"),
    ("condition", r"\bif (?!not\b)([\w.\[\]]+)(?= then)", "not \\1"),
    ("statement", _WHOLE_LINE.format(r"(?:redis\.call|[a-z_]+)\([^\n]*\)"), ""),
    ("statement", _WHOLE_LINE.format(r"(?!local\b|return\b|for\b|if\b|end\b)[\w.]+(?:\[[^\]\n]+\])? = [^\n{]*"), ""),
    ("statement", r"(?<= then )[\w.]+ = [^\n{]*(?= end$)", ""),
)


def changes_of_sql(source: str) -> Iterator[Change]:
    return _changes(source, "sql", _SQL)


def changes_of_lua(source: str) -> Iterator[Change]:
    return _changes(source, "lua", _LUA)


def _changes(source: str, language: str, rules: list[_Rule]) -> Iterator[Change]:
    code = _COMMENT_OR_TEXT[language].sub(lambda quoted: _blank(quoted[0]), source)
    names = [(found.start(), found[1] or found[2]) for found in _NAMED[language].finditer(source)]
    for rule in rules:
        for found in rule.pattern.finditer(code):
            group = found.re.groups
            start, end = found.span(group)
            if not _is_whole(code[start:end]):
                continue
            text = rule.text.replace("\\1", source[start:end])
            where = ([name for at, name in names if at <= start] or ["file"])[-1]
            yield Change(start, end, text, rule.name, where)


def _blank(quoted: str) -> str:
    """As long, with the same lines. A text keeps its quotes, so that rules see an operand there."""
    filled = re.sub(r"[^\n]", " " if quoted.startswith(("--", "/*")) else "x", quoted)
    return filled if quoted.startswith(("--", "/*")) else f"'{filled[1:-1]}'"


def _is_whole(text: str) -> bool:
    """Whether what is taken out takes its brackets along."""
    return text.count("(") == text.count(")") and text.count("{") == text.count("}")
