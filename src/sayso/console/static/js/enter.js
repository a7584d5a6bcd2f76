// The token of the link is behind the #, which browsers send to nobody: it is in no log and in no
// Referer. It is taken out of the address, and posted.
const form = document.getElementById("enter");
const token = location.hash.slice(1);
if (form && token) {
  history.replaceState(null, "", location.pathname);
  form.elements.token.value = token;
  form.requestSubmit();
}
