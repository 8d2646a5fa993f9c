/** The avatar of accounts that have none: a robot's head on teal, 96 by 96 pixels, PNG. */

const BASE64 = [
  'iVBORw0KGgoAAAANSUhEUgAAAGAAAABgCAMAAADVRocKAAAAM1BMVEUcXGxgeGBIbGDYnEjwqkjw2LT08ehIeISQqLSowMB4nKjY5NgwbHjAzMxgkJB4',
  'eGCokFROh+YvAAABeUlEQVR42u2Y7XaDIAxAVRzlQ6nv/7Tj2NazDgJJumztmvsztbkeDDE4DIqivB1jRjD9ZOaMmcTyz1ekDOYmMELrPx+MKvgbgfhD',
  'li9T8Y2W+ciI9iKbUYEK3ktwct528e7ETB+iRRIDI/2yWgLrQs2fLJEknJ9oWCwDyiqtHMFKqB/LAl9LkSeI6P1lmWB3nOMKHFLguQJP6Ghf/5appivj',
  'HIEDlq0aZwgSsLfr8V7ms5nN+U5wuc8UY7q/VyB+pKiz7XPhNhS3FPcat/34kaI5ek5FWVwS+X58ag6vt/F8LBLtS1ERFPGxOd5v1183oLB9P36keBqB',
  'haoXiNMFDuhQQJwuIG40hoDWKjgCUrPjCQj8d0GlVVBpt4pKs6PSbna1dk2k3a5rLxyqoP3CAV76+1gY0jfCWhVwpgpoKAw/KHjsOsTghRR49uiIXCLH',
  'H35xDxl93JQe3+UPIOJHKPlDoPgxVv4gLv8pQf5jyC98zlEURVGUF+ITOqZERcO9wpcAAAAASUVORK5CYII=',
].join('');

/** The bytes of the PNG file, as a new array. */
export function picture(): Uint8Array {
  return new Uint8Array(Buffer.from(BASE64, 'base64'));
}
