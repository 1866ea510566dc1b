#include "present/process_usage.h"

#include <math.h>
#include <sys/resource.h>
#include <unistd.h>

#if defined(__APPLE__)
#include <libproc.h>
#else
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#endif

static const struct process_usage unknown = {NAN, NAN, NAN, NAN, NAN, NAN, NAN};

static void read_limits_and_cpu(struct process_usage *out) {
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        out->cpu_seconds = (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
                           ((double)usage.ru_utime.tv_usec + (double)usage.ru_stime.tv_usec) * 1e-6;
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur != RLIM_INFINITY)
        out->max_fds = (double)files.rlim_cur;
}

#if defined(__APPLE__)

void process_usage_read(struct process_usage *out) {
    *out = unknown;
    read_limits_and_cpu(out);
    struct proc_taskallinfo info;
    if (proc_pidinfo(getpid(), PROC_PIDTASKALLINFO, 0, &info, sizeof info) == (int)sizeof info) {
        out->virtual_bytes = (double)info.ptinfo.pti_virtual_size;
        out->resident_bytes = (double)info.ptinfo.pti_resident_size;
        out->threads = (double)info.ptinfo.pti_threadnum;
        out->start_seconds = (double)info.pbsd.pbi_start_tvsec + (double)info.pbsd.pbi_start_tvusec * 1e-6;
        out->open_fds = (double)info.pbsd.pbi_nfiles;
    }
}

#else

static double count_open_fds(void) {
    DIR *directory = opendir("/proc/self/fd");
    if (!directory)
        return NAN;
    double count = -3; /* ".", ".." and the directory's own descriptor */
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

/* Seconds since the epoch at which this machine started. */
static double read_boot_seconds(void) {
    FILE *file = fopen("/proc/stat", "re");
    if (!file)
        return NAN;
    char line[256];
    double boot = NAN;
    while (fgets(line, sizeof line, file))
        if (strncmp(line, "btime ", 6) == 0)
            boot = strtod(line + 6, NULL);
    fclose(file);
    return boot;
}

/* Field `number` of proc(5)'s stat, counted from 1; `rest` begins at field 3. */
static double stat_field(const char *rest, int number) {
    char *end = NULL;
    for (int field = 3; field < number; field++) {
        rest += strspn(rest, " ");
        rest += strcspn(rest, " ");
    }
    double value = strtod(rest, &end);
    return end == rest ? NAN : value;
}

static void read_stat(struct process_usage *out) {
    char text[1024];
    FILE *file = fopen("/proc/self/stat", "re");
    if (!file)
        return;
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = '\0';
    /* The command's name may hold anything, but it ends at the last ')'. */
    const char *rest = strrchr(text, ')');
    if (!rest)
        return;
    rest++;
    out->threads = stat_field(rest, 20);
    out->start_seconds = read_boot_seconds() + stat_field(rest, 22) / (double)sysconf(_SC_CLK_TCK);
    out->virtual_bytes = stat_field(rest, 23);
    out->resident_bytes = stat_field(rest, 24) * (double)sysconf(_SC_PAGESIZE);
}

void process_usage_read(struct process_usage *out) {
    *out = unknown;
    read_limits_and_cpu(out);
    read_stat(out);
    out->open_fds = count_open_fds();
}

#endif
