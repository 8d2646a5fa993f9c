/*
 * How fast libexpat reads a file, namespaces on, in chunks of 16 KB, with handlers that do nothing and no tree: a mark to
 * measure against, not a peer. Prints the megabytes a second of processor time, the median of the rounds.
 *
 *   cc -O2 expat.c -lexpat -o expat && ./expat FILE ROUNDS
 */
#include <expat.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { CHUNK = 16384 };

static void on_start(void *data, const XML_Char *name, const XML_Char **attributes) { (void)data, (void)name, (void)attributes; }
static void on_end(void *data, const XML_Char *name) { (void)data, (void)name; }
static void on_text(void *data, const XML_Char *text, int length) { (void)data, (void)text, (void)length; }

static int ascending(const void *one, const void *other) {
  double difference = *(const double *)one - *(const double *)other;
  return (difference > 0) - (difference < 0);
}

static double parse(const char *bytes, long length) {
  clock_t start = clock();
  XML_Parser parser = XML_ParserCreateNS(NULL, '}');
  XML_SetElementHandler(parser, on_start, on_end);
  XML_SetCharacterDataHandler(parser, on_text);
  for (long at = 0; at < length; at += CHUNK) {
    int size = length - at < CHUNK ? (int)(length - at) : CHUNK;
    if (XML_Parse(parser, bytes + at, size, 0) == XML_STATUS_OK) continue;
    fprintf(stderr, "%s\n", XML_ErrorString(XML_GetErrorCode(parser)));
    exit(1);
  }
  XML_ParserFree(parser);
  return (double)(clock() - start) / CLOCKS_PER_SEC;
}

int main(int count, char **arguments) {
  int rounds = count == 3 ? atoi(arguments[2]) : 0;
  FILE *file = rounds > 0 ? fopen(arguments[1], "rb") : NULL;
  if (file == NULL) return fprintf(stderr, "usage: expat FILE ROUNDS\n"), 2;
  fseek(file, 0, SEEK_END);
  long length = ftell(file);
  rewind(file);
  char *bytes = malloc((size_t)length);
  double *seconds = malloc(sizeof(double) * (size_t)rounds);
  if (bytes == NULL || seconds == NULL || fread(bytes, 1, (size_t)length, file) != (size_t)length) return 1;
  for (int round = 0; round < rounds; round++) seconds[round] = parse(bytes, length);
  qsort(seconds, (size_t)rounds, sizeof(double), ascending);
  printf("%f\n", (double)length / 1e6 / seconds[rounds / 2]);
  return 0;
}
