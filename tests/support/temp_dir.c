#include "support/temp_dir.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

void temp_dir_open(struct temp_dir *dir) {
    snprintf(dir->path, sizeof dir->path, "/tmp/sentinel-test-XXXXXX");
    assert_non_null(mkdtemp(dir->path));
}

static void path_of(const struct temp_dir *dir, const char *name, char path[TEMP_PATH_SIZE]) {
    snprintf(path, TEMP_PATH_SIZE, "%s/%s", dir->path, name);
}

void temp_dir_write(const struct temp_dir *dir, const char *name, const char *text,
                    char path[TEMP_PATH_SIZE]) {
    char fresh[TEMP_PATH_SIZE];
    path_of(dir, ".fresh", fresh);
    path_of(dir, name, path);
    FILE *file = fopen(fresh, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(fresh, path), 0);
}

static X509 *make_certificate(EVP_PKEY *key, const char *host) {
    X509 *certificate = X509_new();
    assert_non_null(certificate);
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_NAME *name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)host, -1, -1, 0);
    X509_set_issuer_name(certificate, name);
    char names[128];
    snprintf(names, sizeof names, "DNS:%s", host);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
    X509_set_pubkey(certificate, key);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    return certificate;
}

void temp_dir_write_certificate(const struct temp_dir *dir, const char *name, const char *host) {
    EVP_PKEY *key = EVP_EC_gen("P-256");
    assert_non_null(key);
    X509 *certificate = make_certificate(key, host);
    char file_name[64], path[TEMP_PATH_SIZE];
    snprintf(file_name, sizeof file_name, "%s.key", name);
    path_of(dir, file_name, path);
    FILE *file = fopen(path, "we");
    assert_true(file && PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1);
    assert_int_equal(fclose(file), 0);
    snprintf(file_name, sizeof file_name, "%s.crt", name);
    path_of(dir, file_name, path);
    file = fopen(path, "we");
    assert_true(file && PEM_write_X509(file, certificate) == 1);
    assert_int_equal(fclose(file), 0);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

void temp_dir_close(struct temp_dir *dir) {
    DIR *entries = opendir(dir->path);
    assert_non_null(entries);
    for (const struct dirent *entry = readdir(entries); entry; entry = readdir(entries)) {
        char path[TEMP_PATH_SIZE + 256];
        snprintf(path, sizeof path, "%s/%s", dir->path, entry->d_name);
        unlink(path);
    }
    closedir(entries);
    assert_int_equal(rmdir(dir->path), 0);
}
