// Which of the files of a folder are pictures: by their first bytes, as the service tells them.

// What a file begins with, as Latin letters; a dot stands for any byte.
const BEGINNINGS = [
  /^\xff\xd8\xff/, /^\x89PNG\r\n\x1a\n/, /^GIF8[79]a/, /^II[*+]\0/, /^MM\0[*+]/,
  /^BM[^]{4}\0{4}/, /^RIFF[^]{4}WEBP/, /^[^]{4}ftyp[^]*(avif|avis|hei[cxms]|hev[cx]|mif1|msf1)/,
];
const NAMED = /\.(jpe?g|jpe|png|webp|tiff?|heic|heif|avif|gif|bmp)$/i;
const HEAD = 64;

/** Whether a file is a picture by its content, or called like one; hidden files, such as the `._`
 * files of a Mac, are not. The service looks at what is in it. */
export async function isPicture(file) {
  if (file.name.startsWith(".")) return false;
  if (NAMED.test(file.name)) return true;
  try {
    const head = new Uint8Array(await file.slice(0, HEAD).arrayBuffer());
    const text = String.fromCharCode(...head);
    return BEGINNINGS.some((each) => each.test(text));
  } catch {
    return false; // it has gone since, or may not be read
  }
}
