// What scripts of pages share: calls to the server, and sentences.

import { CONSOLE } from "./place.js";

const own = document.querySelector('meta[name="csrf"]');
let csrf = own?.content ?? "";

/**
 * What the server, or the way to it, refused; `message` is for whoever reads the page, and `kind`
 * is what the API calls the problem.
 */
export class Refused extends Error {
  constructor(message, status, kind = "") {
    super(message);
    this.status = status;
    this.kind = kind;
  }
}

/**
 * Send a request to the console or the API as this session, and return the response.
 * Raises Refused with what the server says; an AbortError when `signal` cancels it.
 * A server that has no time right now (429) is asked again when it says, `patience` times.
 * Where the session has ended the page stays as it is, with a link to sign in beside it; after that
 * whatever was refused may be asked again.
 */
export async function ask(url, { method = "GET", body, headers = {}, signal, patience = 20 } = {}) {
  let renewed = false;
  for (let left = patience; ; left -= 1) {
    const response = await reach(url, { method, body, signal, headers: { "x-sayso-csrf": csrf, ...headers } });
    if (response.ok) {
      document.getElementById("signed-out")?.remove();
      return response;
    }
    if ((response.status === 429 || response.status === 503) && left > 0) {
      await pause(1000 * Number(response.headers.get("retry-after") || 1), signal);
      continue;
    }
    if (response.status === 401) {
      signedOut();
      throw new Refused(say("common.problem.signed_out"), 401);
    }
    if (response.status === 403 && !renewed && (await renew(signal))) {
      renewed = true;
      continue;
    }
    const kind = response.headers.get("x-sayso-problem") ?? "";
    throw new Refused(await reason(response), response.status, kind);
  }
}

async function reach(url, options) {
  try {
    return await fetch(url, { ...options, credentials: "same-origin" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(say("common.problem.no_answer"), 0);
  }
}

/** Say that the session has ended, with the way to sign in that leaves this page as it is. */
function signedOut() {
  if (document.getElementById("signed-out")) return;
  const told = document.createElement("div");
  told.id = "signed-out";
  told.className = "problem";
  told.setAttribute("role", "alert");
  const text = document.createElement("p");
  const link = document.createElement("a");
  Object.assign(link, { href: `${CONSOLE}/sign-in?why=ended`, target: "_blank", rel: "noopener" });
  link.textContent = say("common.problem.sign_in");
  text.append(say("common.problem.signed_out"), " ", link);
  told.append(text);
  document.querySelector("main")?.prepend(told);
}

/**
 * Take over the session that somebody began in another window, and tell whether there is one.
 * Raises Refused where that is somebody else: the page says who it is, and they go on if they will.
 */
async function renew(signal) {
  // Without the header: a page that is asked for by a script would not lead to the sign-in.
  const response = await reach(`${CONSOLE}/look`, { signal });
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const found = page.querySelector('meta[name="csrf"]')?.content;
  if (!found || found === csrf) return false;
  csrf = found;
  own?.setAttribute("content", csrf);
  for (const field of document.querySelectorAll('input[name="csrf"]')) field.value = csrf;
  const [then, now] = [document, page].map((each) => each.querySelector(".who p"));
  const words = (each) => each?.textContent.replace(/\s+/g, " ").trim();
  if (!now || words(then) === words(now)) return true;
  then?.replaceWith(document.importNode(now, true));
  document.getElementById("signed-out")?.remove();
  throw new Refused(say("common.problem.somebody_else", { who: words(now) }), 401);
}

/** Wait, or raise an AbortError when `signal` cancels it. */
function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(new DOMException("cancelled", "AbortError"));
    }, { once: true });
  });
}

async function reason(response) {
  const kind = response.headers.get("content-type") ?? "";
  const text = await response.text();
  if (kind.includes("json")) {
    try {
      return JSON.parse(text).detail || text;
    } catch {
      return text;
    }
  }
  if (kind.includes("html")) {
    return new DOMParser().parseFromString(text, "text/html").body.textContent.trim();
  }
  return text || say("common.problem.status", { status: response.status });
}

/** The elements of a part of a page that the server made. */
export function elements(html) {
  const parsed = new DOMParser().parseFromString(html, "text/html");
  return document.importNode(parsed.body, true).childNodes;
}

let sentences;

/** A sentence by its name, with values put into it; see words.py. */
export function say(name, values = {}) {
  sentences ??= JSON.parse(document.getElementById("sentences")?.textContent ?? "{}");
  const chosen = sentences[name] ?? sentences[`${name}.${values.count === 1 ? "one" : "other"}`] ?? name;
  return chosen.replace(/\{(\w+)\}/g, (whole, key) => {
    const value = values[key];
    return value === undefined ? whole : typeof value === "number" ? value.toLocaleString("en") : value;
  });
}
