/*
 * Feeds a fuzz target every file of a folder, once: what was found stays found, with any compiler.
 * Not for finding anything new; that is script/fuzz.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Copies the input to a heap block of exactly its size, so that a sanitizer sees a read past its end. */
static int feed(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct stat about;
    if (file == NULL || fstat(fileno(file), &about) != 0) {
        perror(path);
        return 1;
    }
    size_t size = (size_t)about.st_size;
    uint8_t *data = malloc(size > 0 ? size : 1);
    int failed = data == NULL || fread(data, 1, size, file) != size;
    if (!failed)
        LLVMFuzzerTestOneInput(data, size);
    else
        perror(path);
    free(data);
    fclose(file);
    return failed;
}

int main(int argc, char **argv)
{
    DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
    int fed = 0, failed = 0;
    if (folder == NULL) {
        fprintf(stderr, "usage: replay FOLDER\n");
        return 2;
    }
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        char path[4096];
        if (entry->d_name[0] == '.')
            continue;
        int written = snprintf(path, sizeof path, "%s/%s", argv[1], entry->d_name);
        failed += written < 0 || (size_t)written >= sizeof path || feed(path) != 0;
        fed++;
    }
    closedir(folder);
    printf("fed %d files\n", fed);
    return fed == 0 || failed > 0;
}
