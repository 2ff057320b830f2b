"""Which attributes belong to which level of a search: study (with patient), series, instance (PS3.18 10.6.3)."""

from pacs_secure.dicom.query_keys import resolve


def _tags(keywords: str) -> frozenset[str]:
    return frozenset(resolve(keyword).tag for keyword in keywords.split())


STUDY_ATTRIBUTES = _tags("""
    StudyDate StudyTime AccessionNumber IssuerOfAccessionNumberSequence StudyID StudyDescription
    ReferringPhysicianName ReferringPhysicianIdentificationSequence ConsultingPhysicianName
    PhysiciansOfRecord PhysiciansOfRecordIdentificationSequence
    NameOfPhysiciansReadingStudy PhysiciansReadingStudyIdentificationSequence
    ProcedureCodeSequence ReferencedStudySequence ReasonForPerformedProcedureCodeSequence
    RequestingService RequestingPhysician RequestedProcedureDescription RequestedProcedureCodeSequence
    AdmittingDiagnosesDescription AdmittingDiagnosesCodeSequence TimezoneOffsetFromUTC
    PatientName PatientID IssuerOfPatientID TypeOfPatientID IssuerOfPatientIDQualifiersSequence
    PatientBirthDate PatientBirthTime PatientSex OtherPatientIDs OtherPatientIDsSequence OtherPatientNames
    PatientAge PatientSize PatientWeight EthnicGroup Occupation AdditionalPatientHistory PatientComments
""")
"""Patient, General Study and Patient Study modules (PS3.18 Table 10.6.3-3 and what else is asked for there)."""

SERIES_ATTRIBUTES = _tags("""
    Modality SeriesNumber SeriesDescription SeriesDescriptionCodeSequence SeriesDate SeriesTime
    Laterality BodyPartExamined PatientPosition ProtocolName PresentationIntentType ConversionType
    PerformingPhysicianName PerformingPhysicianIdentificationSequence OperatorsName OperatorIdentificationSequence
    Manufacturer ManufacturerModelName InstitutionName InstitutionAddress InstitutionalDepartmentName
    StationName DeviceSerialNumber SoftwareVersions SpatialResolution ReferencedPerformedProcedureStepSequence
    FrameOfReferenceUID TimezoneOffsetFromUTC RequestAttributesSequence
    PerformedProcedureStepID PerformedProcedureStepDescription PerformedProtocolCodeSequence
    PerformedProcedureStepStartDate PerformedProcedureStepStartTime
    PerformedProcedureStepEndDate PerformedProcedureStepEndTime
""")
"""General Series, Equipment and Frame of Reference modules (PS3.18 Table 10.6.3-4)."""

INSTANCE_ATTRIBUTES = _tags("""
    InstanceNumber AcquisitionNumber ImageType ImageComments InstanceCreationDate InstanceCreationTime
    ContentDate ContentTime AcquisitionDate AcquisitionTime AcquisitionDateTime TimezoneOffsetFromUTC
    Rows Columns NumberOfFrames BitsAllocated BitsStored HighBit PixelRepresentation SamplesPerPixel
    PhotometricInterpretation PlanarConfiguration PixelSpacing SliceThickness SliceLocation
    ImagePositionPatient ImageOrientationPatient WindowCenter WindowWidth
    LossyImageCompression LossyImageCompressionRatio LossyImageCompressionMethod KVP XRayTubeCurrent
    DocumentTitle MIMETypeOfEncapsulatedDocument ConceptNameCodeSequence CompletionFlag VerificationFlag
    VerifyingObserverSequence ReferencedRequestSequence
    ContentLabel ContentDescription PresentationCreationDate PresentationCreationTime ContentCreatorName
""")
"""What tells the instances of a series apart (PS3.18 Table 10.6.3-5, keys of PS3.4 C.6.2.1.4)."""
