// Swagger UI on the description of this service, dark where the system is.

const place = document.getElementById("swagger-ui");
const dark = matchMedia("(prefers-color-scheme: dark)");

function followSystem() {
  document.documentElement.classList.toggle("dark-mode", dark.matches);
}

dark.addEventListener("change", followSystem);
followSystem();
SwaggerUIBundle({ domNode: place, url: place.dataset.address, validatorUrl: null, defaultModelsExpandDepth: 0 });
