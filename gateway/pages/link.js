// Moves what follows the # of the address into the form and posts it; the address keeps no trace of it.
const field = document.getElementById("link");
const token = location.hash.slice(1);
if (field && token) {
  history.replaceState(null, "", location.pathname + location.search);
  field.value = token;
  field.form.submit();
}
