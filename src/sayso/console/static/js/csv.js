// The lines of a CSV text as lists of fields (RFC 4180).

const LINE_ENDS = ["\n", "\r"];

export function rows(text) {
  const found = [[]];
  let place = text.startsWith("\uFEFF") ? 1 : 0;
  while (place < text.length) {
    const [field, next] = text[place] === '"' ? quoted(text, place) : plain(text, place);
    found.at(-1).push(field);
    place = next;
    if (text[place] === ",") {
      place += 1;
      if (place === text.length || LINE_ENDS.includes(text[place])) found.at(-1).push("");
    }
    if (LINE_ENDS.includes(text[place])) {
      place += text.startsWith("\r\n", place) ? 2 : 1;
      found.push([]);
    }
  }
  return found;
}

/** A field without quotes, and the place after it. */
function plain(text, start) {
  let end = start;
  while (end < text.length && text[end] !== "," && !LINE_ENDS.includes(text[end])) end += 1;
  return [text.slice(start, end), end];
}

/** A field in quotes, in which two of them stand for one; what follows them belongs to it. */
function quoted(text, start) {
  let field = "";
  let place = start + 1;
  while (place < text.length) {
    if (text[place] !== '"') field += text[place];
    else if (text[place + 1] === '"') { field += '"'; place += 1; }
    else {
      const [rest, end] = plain(text, place + 1);
      return [field + rest, end];
    }
    place += 1;
  }
  return [field, place];
}
