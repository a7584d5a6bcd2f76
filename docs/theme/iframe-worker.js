// Opened from a folder, a page may not start a worker, and the search of the site runs in one. There
// the worker's script runs in a hidden frame instead. The name has "iframe-worker" in it because the
// generator looks for that, and would load a script of the sort from another host otherwise.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    #frame = document.createElement("iframe");
    #waiting = [];
    onmessage = null;
    onerror = null;

    constructor(address) {
      super();
      this.#frame.hidden = true;
      document.body.append(this.#frame);
      const inner = this.#frame.contentWindow;
      // As between threads, what is sent is a copy, and it comes later.
      inner.postMessage = (message) => {
        const data = structuredClone(message);
        setTimeout(() => {
          const event = new MessageEvent("message", { data });
          this.onmessage?.(event);
          this.dispatchEvent(event);
        });
      };
      const script = inner.document.createElement("script");
      script.src = new URL(address, location.href).href;
      script.onload = () => {
        const waiting = this.#waiting;
        this.#waiting = null;
        waiting.forEach((message) => this.postMessage(message));
      };
      inner.document.body.append(script);
    }

    postMessage(message) {
      if (this.#waiting) {
        this.#waiting.push(message);
        return;
      }
      const inner = this.#frame.contentWindow;
      const data = structuredClone(message);
      inner.dispatchEvent(new inner.MessageEvent("message", { data }));
    }

    terminate() {
      this.#frame.remove();
    }
  };
}
