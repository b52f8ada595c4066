// Swagger UI for the API description of this service, dark or light as the system's colours.

const place = document.getElementById("swagger-ui");
const dark = matchMedia("(prefers-color-scheme: dark)");

function followSystem() {
  document.documentElement.classList.toggle("dark-mode", dark.matches);
}

dark.addEventListener("change", followSystem);
followSystem();
SwaggerUIBundle({ domNode: place, url: place.dataset.address, validatorUrl: null, defaultModelsExpandDepth: 0 });
