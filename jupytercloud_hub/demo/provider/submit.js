// Sends the logout form by itself; without JavaScript its button does the same.
document.querySelector('form[data-submit] button').click();
