"""Parts of a message's content, as every vendor writes them: text, images, results of tools, reasoning."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, cast

from agentkeep.formats._reading import as_json


class Image(NamedTuple):
    """An image: at a URL, or as base64 text."""

    url: str | None
    data: str | None
    mime: str

    @property
    def as_url(self) -> str:
        return self.url if self.url is not None else f"data:{self.mime};base64,{self.data}"


class Result(NamedTuple):
    """The result of a tool's call."""

    call_id: str
    content: Any


_PNG = "image/png"


def kind_of(part: Any) -> str | None:
    """A part's `type`; None if it has none."""
    kind = cast("dict[str, Any]", part).get("type") if isinstance(part, dict) else None
    return kind if isinstance(kind, str) else None


def text_of(part: Any) -> str | None:
    """The text of a part; None if the part is not text."""
    match part:
        case str():
            return part
        case {"type": "text" | "input_text" | "output_text", "text": str(text)}:
            return text
        case {"text": str(text), **rest} if "type" not in rest and not cast("dict[str, Any]", rest).get("thought"):
            return text
        case _:
            return None


def image_of(part: Any) -> Image | None:
    """The image of a part; None if the part is not an image."""
    match part:
        case {"type": "image_url", "image_url": {"url": str(url)}} | {"type": "image_url", "image_url": str(url)}:
            return _at(url)
        case {"type": "input_image", "image_url": str(url)} | {"kind": "image-url", "url": str(url)}:
            return _at(url)
        case {"type": "image", "source": {"type": "base64", "media_type": str(mime), "data": str(data)}}:
            return Image(None, data, mime)
        case {"type": "image", "source": {"type": "url", "url": str(url)}}:
            return _at(url)
        case {"type": "image", "base64": str(data), **rest}:
            return Image(None, data, _mime(rest))
        case {"type": "image", "url": str(url)}:
            return _at(url)
        case {"kind": "binary", "data": str(data), "media_type": str(mime)} if mime.startswith("image/"):
            return Image(None, _standard(data), mime)
        case {"inlineData": blob} | {"inline_data": blob} if _is_image(blob):
            return Image(None, _standard(str(blob.get("data"))), _mime(blob))
        case {"fileData": file} | {"file_data": file} if _is_image(file):
            return Image(str(file.get("fileUri", file.get("file_uri"))), None, _mime(file))
        case _:
            return None


def result_of(part: Any) -> Result | None:
    """The tool's result that a part is; None if it is not one."""
    match part:
        case {"type": "tool_result", "tool_call_id": str(id)} | {"type": "tool_result", "tool_use_id": str(id)}:
            return Result(id, cast("dict[str, Any]", part).get("content"))
        case _:
            return None


def is_reasoning(part: Any) -> bool:
    """What a model thought. Only its own vendor accepts it back."""
    match part:
        case {"type": "thinking" | "redacted_thinking" | "reasoning"}:
            return True
        case {"thought": True}:
            return True
        case _:
            return False


def converted(
    content: Any, text: Callable[[str], Any], image: Callable[[Image], Any], native: Callable[[Any], bool]
) -> Any:
    """A content whose parts are in one vendor's form: its own as they are, others' text and images made anew."""
    if not isinstance(content, list):
        return content
    made: list[Any] = []
    for part in cast("list[Any]", content):
        if native(part):
            made.append(part)
        elif (said := text_of(part)) is not None:
            made.append(text(said))
        elif (shown := image_of(part)) is not None:
            made.append(image(shown))
        elif not is_reasoning(part):
            made.append(part)
    return made


def as_text(content: Any) -> str:
    """A content as one text: its texts, one a line; what is not text as JSON."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return as_json(content)
    texts = [(part, text_of(part)) for part in cast("list[Any]", content) if not is_reasoning(part)]
    return "\n".join(as_json(part) if text is None else text for part, text in texts)


def results(content: Any) -> list[Result]:
    """The results of several calls in one content."""
    parts = cast("list[Any]", content) if isinstance(content, list) else []
    return [found for part in parts if (found := result_of(part)) is not None]


def without_results(content: Any) -> list[Any]:
    """What stands beside the results: what the user said together with them."""
    parts = cast("list[Any]", content) if isinstance(content, list) else []
    return [part for part in parts if result_of(part) is None]


def _at(url: str) -> Image:
    head, separator, data = url.partition(";base64,")
    if url.startswith("data:") and separator:
        return Image(None, data, head.removeprefix("data:"))
    return Image(url, None, _PNG)


def _mime(part: dict[str, Any]) -> str:
    found = part.get("mime_type", part.get("mimeType"))
    return found if isinstance(found, str) else _PNG


def _is_image(part: Any) -> bool:
    return isinstance(part, dict) and _mime(cast("dict[str, Any]", part)).startswith("image/")


def _standard(data: str) -> str:
    """Base64 in the usual alphabet; Google's and Pydantic AI's dumps use the one for URLs."""
    return data.replace("-", "+").replace("_", "/")
