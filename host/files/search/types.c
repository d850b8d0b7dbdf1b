/* types.c - the columns of a chain as types of HDF5. */
#include "files/search/types.h"

static hid_t status_type(struct mm_hdf5 *hdf5)
{
    static const struct {
        const char *name;
        int32_t value;
    } members[] = {{"NO_FINISHED_CHAIN", -1},
#define MEMBER(name, text) {&#name[sizeof "MM_" - 1], name},
                   MM_STOP_REASON_LIST(MEMBER)
#undef MEMBER
    };
    hid_t type = mm_hdf5_check(hdf5, H5Tenum_create(H5T_STD_I32LE), "create type", "status");
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        mm_hdf5_check(hdf5, H5Tenum_insert(type, members[i].name, &members[i].value), "create type", "status");
    return type;
}

hid_t mm_result_column_type(struct mm_hdf5 *hdf5, enum mm_chain_column_kind kind)
{
    switch (kind) {
    case MM_CHAIN_COLUMN_INT32:
        return mm_hdf5_check(hdf5, H5Tcopy(H5T_STD_I32LE), "copy type", "int32");
    case MM_CHAIN_COLUMN_UINT32:
        return mm_hdf5_check(hdf5, H5Tcopy(H5T_STD_U32LE), "copy type", "uint32");
    case MM_CHAIN_COLUMN_INT64:
        return mm_hdf5_check(hdf5, H5Tcopy(H5T_STD_I64LE), "copy type", "int64");
    case MM_CHAIN_COLUMN_STATUS:
        return status_type(hdf5);
    case MM_CHAIN_COLUMN_DOUBLE:
    case MM_CHAIN_COLUMN_PARAMETERS:
        break;
    }
    return mm_hdf5_check(hdf5, H5Tcopy(H5T_IEEE_F64LE), "copy type", "double");
}
