// Starts the page to read and try the API with; a file, since the page allows no inline script.
"use strict";
window.addEventListener("load", () => {
  window.ui = SwaggerUIBundle({
    url: "openapi.json",
    dom_id: "#api",
    deepLinking: true,
    displayRequestDuration: true,
    docExpansion: "list",
    presets: [SwaggerUIBundle.presets.apis],
    validatorUrl: null,
  });
});
