// The bundler puts this in the place of "react": the page must share the one React of the host.
module.exports = window.__HERMES_PLUGIN_SDK__.React;
